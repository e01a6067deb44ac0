"""What must hold of any run whatever: no exceptions, an end for every request, finite numbers, nothing lost."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Failure, Recording, Sample
from fuzz.lab.relation import relate
from fuzz.lab.tolerance import BATCH
from fuzz.properties.model import Cost, Evidence, Violation
from fuzz.properties.registry import register
from targets.codec import encode
from targets.contract import FinishReason, ReportsResources, Request, Resources, SamplingParams, TokenLogprobs
from targets.trace import MAX_STEP, Arrival, Trace, with_defect

STARVED_STEPS = 3
"""Tokens that a younger request may get while the oldest one pauses."""
CANARY_TOKENS = 4
CANARIES = ("canary-1", "canary-2")
STACK_LINES = 12
LOST = "blocks-lost"
AFTER_END = "an event after the end"
"""Cause of both signs of it: what comes late may be terminal as well."""


@register(
    "P1",
    "Crash-free",
    sources=("VALID-01", "VALID-02", "VALID-31", "CACHE-15", "CACHE-17", "LIFE-18"),
    cost=Cost.OBSERVES,
)
def crash_free(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """No call of an executor raises anything but `RequestRejected` from `submit`.

    Judged on every run that was made for the case. What a malformed request raises in `submit` is left to P4.
    Signals, exits, hangs and memory are judged by containment.
    """
    lab.tally.looked += 1
    found: list[tuple[Failure, Recording | None]] = [(failure, None) for failure in lab.failures]
    found += [(failure, recording) for recording in lab.recordings for failure in _failures(recording)]
    seen = set()
    for failure, recording in found:
        if failure.slug not in seen:
            seen.add(failure.slug)
            # A property made this run out of the case, so the case alone would not show what was asked.
            made = recording is not None and recording.trace != lab.case
            run = encode(_served(lab, recording.trace)).decode() if recording is not None and made else ""
            yield raised("P1", failure, run)


@register(
    "P2",
    "Liveness",
    sources=("LIFE-01", "LIFE-05", "LIFE-07", "LIFE-10", "STREAM-15"),
    cost=Cost.OBSERVES,
)
def liveness(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """Every accepted request ends: each sample has exactly one terminal event and nothing after it.

    A run ends within 64 + 8 x (prompt and completion tokens of all requests) steps; a step returns nothing only when
    nothing is queued or running; an aborted request gets no further token; the oldest unfinished request, once it has
    begun, does not pause while a younger one gets three tokens or more. Judged on every run made for the case.
    """
    lab.tally.looked += 1
    for recording in lab.recordings:
        if recording.failure is None:
            yield from unended(recording)
            yield from wrong_endings(recording)
        yield from starvation(recording)


@register("P3", "Health after any case", sources=("VALID-31", "VALID-01", "FINITE-06", "LIFE-08"))
def healthy_afterwards(lab: Lab, case: Trace) -> Iterator[Violation]:
    """After any case a fixed greedy request still gets the tokens that a fresh executor gives it.

    It is sent twice at the end of the case, to the same executor: the second one meets its own cached prompt. Each
    takes at most three times the steps that it takes on a fresh executor.
    """
    canary, names = canary_of(lab), CANARIES
    fresh = lab.alone(canary)
    after = lab.record(with_canaries(lab, case))
    if not (fresh.sound and after.sound and fresh.answers[canary.id].accepted):
        return
    kind = "prefix_cache" if lab.values("prefix_cache") else BATCH
    yield from relate(lab, "P3", fresh, after, kind, pairs=[(canary.id, name) for name in names])
    usual = _duration(fresh.answers[canary.id])
    for name in names:
        taken = _duration(after.answers[name])
        if taken > 3 * usual:
            message = f"the canary takes {taken} steps after the case, {usual} on a fresh executor"
            yield Violation(code="P3", slug="slow", message=message, request_id=name)


@register("P10", "Finite", sources=("FINITE-01", "FINITE-10", "FINITE-12"), cost=Cost.OBSERVES)
def finite(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """Numbers are finite: no reported log-probability is NaN or above 0, that of a chosen token is not -inf.

    Logits of the case's own sequences are neither NaN nor +inf, and each row has a finite entry. Judged on every run.
    """
    for recording in lab.recordings:
        for answer in recording.valid():
            yield from _unfinite_reports(lab, answer)
    for answer in lab.base.valid():
        for sample in answer.samples:
            yield from _unfinite_logits(lab, answer, sample)


@register(
    "P12",
    "Conservation of blocks",
    sources=("LIFE-12", "LIFE-09", "LIFE-13", "CACHE-29"),
    needs=(ReportsResources,),
    cost=Cost.OBSERVES,
)
def conservation(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """At idle `free + cached == total`, nothing waits or runs, and the total is what it was at the start.

    Between two steps no count is negative, `free + cached` does not exceed the total, and no more run than the target
    says may. Judged on every run made for the case, whatever was aborted or refused in it.
    """
    for recording in lab.recordings:
        if recording.overdrawn is not None:
            now = recording.overdrawn
            message = f"impossible accounting between two steps: {now}"
            slug = "batch-too-large" if now.crowded else "overdrawn"
            yield Violation(code="P12", slug=slug, message=message, evidence=_knobs(recording))
        if recording.closed is not None and recording.opened is not None:
            lab.tally.looked += 1
            yield from lost_blocks(recording)


def canary_of(lab: Lab) -> Request:
    """A fixed greedy request of a little more than two blocks, or as long as the target takes."""
    block = lab.limits.block_size or 4
    length = max(1, min(2 * block + 1, lab.limits.context_length - CANARY_TOKENS))
    special = {*lab.limits.special_token_ids, *lab.limits.eos_token_ids}
    usable = [token for token in range(lab.limits.vocab_size) if token not in special] or [0]
    prompt = tuple(usable[(5 + 17 * position) % len(usable)] for position in range(length))
    return Request(id="canary", prompt=prompt, sampling=SamplingParams(temperature=0.0, max_tokens=CANARY_TOKENS))


def with_canaries(lab: Lab, case: Trace) -> Trace:
    """The case, and the canary twice when everything else is done: the second one meets its own cached prompt."""
    canary = canary_of(lab)
    late = (
        Arrival(request=msgspec.structs.replace(canary, id=name), step=MAX_STEP - 2 + index)
        for index, name in enumerate(CANARIES)
    )
    return msgspec.structs.replace(case, arrivals=(*case.arrivals, *late))


def _duration(answer: Answer) -> int:
    return answer.progress[-1] - (answer.submitted or 0) + 1 if answer.progress else 0


def _failures(recording: Recording) -> Iterator[Failure]:
    if recording.failure is not None:
        yield recording.failure
    for answer in recording.answers.values():
        if answer.failure is not None and not answer.breaches:
            yield answer.failure


def _served(lab: Lab, trace: Trace) -> Trace:
    """The valid requests of a trace as they were sent, so that the run stands as a case of its own."""
    sent = [
        msgspec.structs.replace(
            arrival, request=with_defect(arrival.request, arrival.defect) if arrival.defect else arrival.request
        )
        for arrival in trace.arrivals
    ]
    valid = [msgspec.structs.replace(arrival, defect=None) for arrival in sent if not lab.breaches(arrival.request)]
    return msgspec.structs.replace(trace, arrivals=tuple(valid))


def raised(code: str, failure: Failure, run: str = "") -> Violation:
    """A violation for an exception; `run` is the trace in which it was raised, where that is not the case."""
    evidence: dict[str, Evidence] = {
        "call": failure.call,
        "step": failure.step,
        "stack": [*failure.stack.splitlines()[-STACK_LINES:]],
    }
    if run:
        evidence["run"] = run
    message = f"{failure.call} raised {failure.error_type}: {failure.message}"
    slug, name = failure.slug, failure.request_id
    return Violation(code=code, slug=slug, message=message, request_id=name, evidence=evidence, cause=slug)


def unended(recording: Recording) -> Iterator[Violation]:
    """Requests that a run left without an end."""
    waiting = [name for name, answer in recording.answers.items() if answer.accepted and not answer.finished]
    evidence = _knobs(recording)
    evidence |= {"unfinished": [*waiting], "steps": recording.steps}
    if recording.stuck:
        message = f"a step returned nothing although {', '.join(waiting)} had not ended"
        now, cause = recording.stalled, ""
        if now is not None and not now.running and (missing := _missing(now)) > 0:
            message += f"; nothing runs, and {missing} of {now.total_blocks} blocks are neither free nor cached"
            cause = f"P12/{LOST}"
        yield Violation(code="P2", slug="stuck", message=message, request_id=waiting[0], evidence=evidence, cause=cause)
    elif recording.exhausted:
        message = f"{', '.join(waiting)} had not ended after {recording.steps} steps (bound {recording.bound})"
        yield Violation(code="P2", slug="endless", message=message, request_id=waiting[0], evidence=evidence)


def wrong_endings(recording: Recording) -> Iterator[Violation]:
    """Events of nobody, and samples with more than one end."""
    if recording.strays:
        message = f"an event of a request or sample that nobody asked for: {recording.strays[0]}"
        yield Violation(code="P2", slug="stray-event", message=message, evidence=_knobs(recording))
    for name, answer in recording.answers.items():
        for sample in answer.samples:
            if sample.terminals > 1:
                message = f"{name} sample {sample.index} has {sample.terminals} terminal events"
                yield Violation(code="P2", slug="two-ends", message=message, request_id=name, cause=AFTER_END)
            elif sample.late:
                message = f"{name} sample {sample.index} has {sample.late} events after its terminal one"
                yield Violation(code="P2", slug="event-after-end", message=message, request_id=name, cause=AFTER_END)
        yield from _after_abort(answer)


def _after_abort(answer: Answer) -> Iterator[Violation]:
    if answer.aborted is None:
        return
    for sample in answer.samples:
        if sample.steps and sample.steps[-1] >= answer.aborted:
            name = answer.request.id
            message = f"{name} sample {sample.index} was aborted before step {answer.aborted} and still got tokens"
            yield Violation(code="P2", slug="token-after-abort", message=message, request_id=name)


def starvation(recording: Recording) -> Iterator[Violation]:
    """Requests in order of arrival; a pause of the oldest unfinished one in which a younger one gets tokens."""
    begun = [answer for answer in recording.answers.values() if answer.accepted and answer.progress]
    begun.sort(key=lambda answer: answer.submitted or 0)
    for place, answer in enumerate(begun):
        others_end = max((older.progress[-1] for older in begun[:place]), default=-1)
        for before, after in zip(answer.progress, answer.progress[1:], strict=False):
            since = max(before, others_end)
            if after - since <= STARVED_STEPS:
                continue
            for younger in begun[place + 1 :]:
                served = sum(since < step < after for sample in younger.samples[:1] for step in sample.steps)
                if served >= STARVED_STEPS:
                    name = answer.request.id
                    message = (
                        f"{name}, the oldest request, paused from step {since} to {after} "
                        f"while {younger.request.id} got {served} tokens"
                    )
                    yield Violation(
                        code="P2", slug="starved", message=message, request_id=name, evidence=_knobs(recording)
                    )
                    return


def _unfinite_reports(lab: Lab, answer: Answer) -> Iterator[Violation]:
    reported = [(value, True) for sample in answer.samples for value in sample.logprobs if value is not None]
    reported += [(value, False) for value in answer.prompt_logprobs or () if value is not None]
    lab.tally.looked += bool(reported)
    for value, chosen in reported:
        if not _is_finite(value, chosen):
            message = f"{answer.request.id} reports the log-probability {value}"
            yield Violation(code="P10", slug="logprob-not-finite", message=message, request_id=answer.request.id)
            return


def _is_finite(value: TokenLogprobs, chosen: bool) -> bool:
    numbers = (value.logprob, *(number for _, number in value.top))
    if any(math.isnan(number) or number > 1e-3 for number in numbers):
        return False
    return not chosen or math.isfinite(value.logprob)


def _unfinite_logits(lab: Lab, answer: Answer, sample: Sample) -> Iterator[Violation]:
    if sample.finish_reason is FinishReason.ERROR or not sample.tokens or answer.request.adapter is not None:
        return
    sequence = (*answer.request.prompt, *sample.tokens)
    rows = lab.scores(sequence)
    if rows is None:
        return
    lab.tally.looked += 1
    name = answer.request.id
    if rows.shape != (len(sequence), lab.limits.vocab_size):
        message = f"logits of {len(sequence)} tokens have the shape {rows.shape}"
        yield Violation(code="P10", slug="logits-shape", message=message, request_id=name)
    elif np.isnan(rows).any() or np.isposinf(rows).any() or not np.isfinite(rows).any(axis=-1).all():
        message = f"the logits of {name} hold NaN, +inf, or a row without a finite entry"
        yield Violation(code="P10", slug="logits-not-finite", message=message, request_id=name)


def lost_blocks(recording: Recording) -> Iterator[Violation]:
    """What the accounting at idle lacks or shows too much; `opened` and `closed` must be known."""
    now, before = recording.closed, recording.opened
    assert now is not None
    assert before is not None
    evidence: dict[str, Evidence] = _knobs(recording) | {
        "total": now.total_blocks,
        "free": now.free_blocks,
        "cached": now.cached_blocks,
        "running": now.running,
        "waiting": now.waiting,
    }
    if now.running or now.waiting:
        message = f"at idle {now.running} requests are running and {now.waiting} waiting"
        yield Violation(code="P12", slug="not-idle", message=message, evidence=evidence)
    missing = _missing(now)
    if missing or now.total_blocks != before.total_blocks:
        slug = LOST if missing > 0 else "blocks-gained"
        message = f"at idle {missing} of {before.total_blocks} blocks are neither free nor cached"
        yield Violation(code="P12", slug=slug, message=message, evidence=evidence)


def _missing(now: Resources) -> int:
    """Blocks that are neither free nor cached."""
    return now.total_blocks - now.free_blocks - now.cached_blocks


def _knobs(recording: Recording) -> dict[str, Evidence]:
    evidence: dict[str, Evidence] = {"knobs": [f"{name}={value}" for name, value in recording.trace.knobs.items()]}
    if recording.watched:
        evidence["during"] = recording.watched
    return evidence
