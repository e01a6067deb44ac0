"""Fixed small traces whose runs are known to agree, and how far their numbers lie apart on this device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fuzz.lab.compare import first_disagreement, largest_difference
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.sampling import log_softmax
from fuzz.lab.tolerance import BATCH, DEFAULT_SCALE, DEVICE, REPEAT
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Trace

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab

TOKENS = 6
COUNT = 4


def scale(lab: Lab) -> float:
    """Largest distance of a logit from the median of its row, over the calibration prompts."""
    largest = 0.0
    for request in requests(lab) if lab.scores_tokens else ():
        try:
            rows = np.asarray(lab.bench.logits(request.prompt), dtype=np.float64)
        except Exception:  # noqa: BLE001 - a target that cannot score this is judged by the properties, not here
            return DEFAULT_SCALE
        distance = np.abs(rows - np.median(rows, axis=-1, keepdims=True))
        largest = max(largest, float(np.max(distance[np.isfinite(distance)], initial=0.0)))
    return largest or DEFAULT_SCALE


def requests(lab: Lab) -> tuple[Request, ...]:
    """Greedy requests of related prompts, of lengths around the block size, as far as the target takes them."""
    limits = lab.limits
    block = limits.block_size or 4
    most = max(1, min(limits.context_length - TOKENS, (limits.total_blocks or 64) * block // COUNT - TOKENS))
    special = {*limits.special_token_ids, *limits.eos_token_ids}
    usable = [token for token in range(limits.vocab_size) if token not in special] or [0]
    tokens = tuple(usable[(7 + 31 * position) % len(usable)] for position in range(4 * block))
    lengths = (3 * block + 2, 2 * block, block + 1, max(1, block - 1))
    sampling = SamplingParams(temperature=0.0, max_tokens=TOKENS, logprobs=_logprobs(lab))
    return tuple(
        Request(id=f"calibration-{index}", prompt=tokens[: min(length, most)], sampling=sampling)
        for index, length in enumerate(lengths)
    )


def measure(lab: Lab, kind: str) -> float:
    """Largest difference of a log-probability over the known-good pairs of that kind; 0 if none can be compared."""
    if _logprobs(lab) is None:
        return 0.0
    wanted = requests(lab)
    match kind:
        case "recompute":
            return max((_recomputed(lab, answer) for answer in _answers(_together(lab, wanted))), default=0.0)
        case _:
            return max((_distance(first, second) for first, second in _pairs(lab, kind, wanted)), default=0.0)


def _pairs(lab: Lab, kind: str, wanted: tuple[Request, ...]) -> Iterator[tuple[Recording, Recording]]:
    together = _together(lab, wanted)
    if kind in (BATCH, REPEAT):
        yield together, _together(lab, wanted)
    if kind == BATCH:
        for request in wanted:
            yield lab.run(_trace(lab, (request,))), together
    if kind == DEVICE:
        yield lab.peer.run(_trace(lab.peer, wanted)), together
    for value in lab.values(kind):
        trace = _trace(lab, wanted)
        yield together, lab.run(Trace(arrivals=trace.arrivals, knobs=trace.knobs | {kind: value}))


def _together(lab: Lab, wanted: tuple[Request, ...]) -> Recording:
    return lab.run(_trace(lab, wanted))


def _trace(lab: Lab, wanted: tuple[Request, ...]) -> Trace:
    arrivals = tuple(Arrival(request=request, step=index) for index, request in enumerate(wanted))
    return Trace(arrivals=arrivals, knobs=lab.defaults)


def _answers(recording: Recording) -> tuple[Answer, ...]:
    return tuple(answer for answer in recording.valid() if answer.samples and answer.samples[0].tokens)


def _distance(first: Recording, second: Recording) -> float:
    largest = 0.0
    for answer in _answers(first):
        other = second.answers.get(answer.request.id)
        if other is None or not other.samples:
            continue
        left, right = answer.samples[0], other.samples[0]
        position = first_disagreement(left.tokens, right.tokens)
        for index, (one, two) in enumerate(zip(left.logprobs, right.logprobs, strict=False)):
            if index <= position and one is not None and two is not None:
                distance = largest_difference(one, two, index < position)
                largest = max(largest, distance if np.isfinite(distance) else 0.0)
    return largest


def _recomputed(lab: Lab, answer: Answer) -> float:
    rows = lab.step_scores(answer, 0)
    if rows is None:
        return 0.0
    largest = 0.0
    for row, reported in zip(rows, answer.samples[0].logprobs, strict=False):
        scores = log_softmax(row)
        for token, value in reported.top if reported else ():
            distance = abs(float(scores[token]) - value)
            largest = max(largest, distance if np.isfinite(distance) else 0.0)
    return largest


def _logprobs(lab: Lab) -> int | None:
    raw = lab.domain.logprobs_scale == "raw" and "logprobs" in lab.domain.supported
    return lab.limits.max_logprobs if raw and lab.limits.max_logprobs else None
