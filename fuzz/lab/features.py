"""Behaviour features: small integers for what a run showed, as coverage beside branch arms."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from fuzz.lab.recording import Answer, Recording, Sample
from targets.domain import NEUTRAL

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab

BUCKETS = 4096


def features(lab: Lab, recording: Recording) -> tuple[int, ...]:
    """Hash buckets in 0..4095 of what was seen, sorted."""
    seen = set(_of_run(recording))
    for answer in recording.answers.values():
        seen.update(_of_request(lab, recording, answer))
        for sample in answer.samples:
            seen.update(_of_sample(answer, sample))
    return tuple(sorted({bucket(*parts) for parts in seen}))


@lru_cache(maxsize=65536)
def bucket(*parts: object) -> int:
    """The bucket of a label: equal on every machine."""
    return zlib.crc32("/".join(map(str, parts)).encode()) % BUCKETS


def magnitude(count: int) -> int:
    """0, 1, 2, 3, then powers of two."""
    return count if count < 4 else 2 + count.bit_length()


def _of_run(recording: Recording) -> Iterator[tuple[object, ...]]:
    failure = recording.failure
    if failure is not None:
        yield ("failure", failure.error_type, failure.frame)
    yield ("ended", recording.stuck, recording.exhausted)
    yield ("steps", magnitude(recording.steps))
    if recording.closed is not None:
        yield ("cached", magnitude(recording.closed.cached_blocks))
    together: dict[int, int] = {}
    for answer in recording.answers.values():
        for step in answer.progress:
            together[step] = together.get(step, 0) + 1
    yield ("together", max(together.values(), default=0))


def _of_request(lab: Lab, recording: Recording, answer: Answer) -> Iterator[tuple[object, ...]]:
    if answer.rejection is not None:
        yield ("rejected", answer.rejection.field.partition("[")[0], bool(answer.breaches))
        return
    if answer.failure is not None:
        yield ("raised", answer.failure.error_type, answer.failure.frame)
    if not answer.accepted or answer.breaches:
        return
    length = len(answer.request.prompt)
    for name in ("block_size", "chunk_size"):
        unit = recording.trace.knobs.get(name, getattr(lab.limits, name))
        if isinstance(unit, int) and unit > 0:
            yield (name, min(length // unit, 6), _side(length, unit))
    if lab.limits.window:
        yield ("window", max(-2, min(2, length - lab.limits.window)))
    gaps = [after - before for before, after in zip(answer.progress, answer.progress[1:], strict=False)]
    yield ("pause", magnitude(max(gaps, default=0)))
    if answer.aborted is not None:
        yield ("aborted", magnitude(answer.aborted - (answer.submitted or 0)))


def _side(length: int, unit: int) -> str:
    rest = length % unit
    return "on" if rest == 0 else "after" if rest == 1 else "before" if rest == unit - 1 else "inside"


def _of_sample(answer: Answer, sample: Sample) -> Iterator[tuple[object, ...]]:
    sampling = answer.request.sampling
    yield ("finish", sample.finish_reason, type(sample.stop_reason).__name__)
    yield ("tokens", magnitude(len(sample.tokens)), sample.finish_reason)
    if sample.usage is not None:
        yield ("hit", magnitude(sample.usage.cached_tokens), answer.request.adapter is not None)
    used = [name for name in sampling.__struct_fields__ if getattr(sampling, name) != getattr(NEUTRAL, name)]
    for name in used:
        yield ("option", name, sample.finish_reason)
    yield ("options", len(used), sample.index)
    empty = sum(not delta for delta in sample.deltas)
    yield ("held-back", magnitude(empty), "\ufffd" in sample.text)
    margins = [report.top[0][1] - report.top[1][1] for report in sample.logprobs if report and len(report.top) > 1]
    if margins:
        yield ("margin", int(min(margins) * 4) if min(margins) < 4 else 16)
