"""What goes wrong outside the engine, at every moment of a short run: a layer fails, or the client leaves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.faults import caused_by, faults_of, spread
from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.relation import relate_answers
from fuzz.lab.tolerance import BATCH
from fuzz.properties.executors.safety import lost_blocks, raised, unended, with_canaries, wrong_endings
from fuzz.properties.model import Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, InjectsFaults
from targets.trace import Trace

MOST_FAULTS = 8
"""Faults that are tried in a case, over all points."""
MOST_LEAVINGS = 6
"""Moments at which a client leaves that are tried in a case."""
SAYS_NOTHING = ("", "none", "null", "error", "unknown error")
"""Texts of an error, in lower case, that tell nobody what happened."""


@register(
    "P35",
    "A fault reaches one request only",
    sources=("FINITE-06", "LIFE-06", "LIFE-08", "LIFE-11", "LIFE-14"),
    needs=(InjectsFaults,),
)
def fault_isolation(lab: Lab, case: Trace) -> Iterator[Violation]:
    """When one pass of one layer fails, at most one request ends with an error, and the error says what happened.

    It has the tokens up to there. All others, and a canary sent twice afterwards, are served as without the fault;
    nothing is raised, every request ends once, and all blocks come back. The points and how often each is passed are
    the target's to tell; of a case with more than eight passes eight are tried, of each point in its turn.
    """
    trace = with_canaries(lab, case)
    clean = lab.record(trace)
    if not clean.sound or not lab.base.sound:
        return
    for fault in faults_of(lab.passed(lab.base), MOST_FAULTS):
        lab.tally.looked += 1
        found = [*_judge(lab, clean, lab.run(trace, fault))]
        yield from (caused_by("P35", fault, violation) for violation in found)
        if found:
            return


@register(
    "P37",
    "A client may leave at any step",
    sources=("LIFE-04", "LIFE-09", "LIFE-13", "LIFE-15", "BATCH-29"),
)
def leaving_isolation(lab: Lab, case: Trace) -> Iterator[Violation]:
    """A request that is aborted, at whichever step, keeps the tokens it had; all others are served as if it had stayed.

    Tried for every request of the case, from before its first step to after its last, and in a long case for some of
    these moments. What is raised, left unended or kept by such runs is told by P1, P2 and P12.
    """
    if not lab.base.sound:
        return
    for name, step in spread([*_moments(lab.base)], MOST_LEAVINGS):
        left = lab.record(_leaving(case, name, step))
        lab.tally.looked += 1
        if left.sound:
            yield from _served_alike(lab, "P37", lab.base, left)


def _judge(lab: Lab, clean: Recording, faulty: Recording) -> Iterator[Violation]:
    if faulty.stuck or faulty.exhausted:
        yield from unended(faulty)
        return
    if faulty.failure is not None:
        yield raised("P35", faulty.failure)
        return
    yield from wrong_endings(faulty)
    if faulty.opened is not None and faulty.closed is not None:
        yield from lost_blocks(faulty)
    failed = frozenset(name for name, answer in faulty.answers.items() if _fails(answer, clean.answers[name]))
    together = [name for name in sorted(failed) if not _left(clean.answers[name])]
    if len(together) > 1:
        yield Violation(code="P35", slug="several-fail", message=f"{', '.join(together)} fail together")
        return
    yield from _unexplained(faulty, failed)
    if faulty.sound:
        yield from _served_alike(lab, "P35", clean, faulty, failed)


def _fails(answer: Answer, usual: Answer) -> bool:
    """Whether it ends with an error that it does not have otherwise."""
    reasons = [sample.finish_reason for sample in answer.samples]
    return FinishReason.ERROR in reasons and reasons != [sample.finish_reason for sample in usual.samples]


def _left(usual: Answer) -> bool:
    """Whether the client left: it may never have seen an error of its own, which a fault lets it get on to."""
    return any(sample.finish_reason is FinishReason.ABORT for sample in usual.samples)


def _unexplained(faulty: Recording, failed: frozenset[str]) -> Iterator[Violation]:
    for name in failed:
        for sample in faulty.answers[name].samples:
            if sample.finish_reason is FinishReason.ERROR and sample.error.strip().lower() in SAYS_NOTHING:
                message = f"{name} sample {sample.index} ends with an error that says nothing: {sample.error!r}"
                yield Violation(code="P35", slug="error-without-message", message=message, request_id=name)


def _served_alike(
    lab: Lab, code: str, usual: Recording, other: Recording, failed: frozenset[str] | None = None
) -> Iterator[Violation]:
    """Requests with a fixed result, compared as far as they got; of failed ones the beginning that they have.

    Without a fault (`failed` is None) the runs can be repeated under other seeds. With one they cannot, since it would
    strike elsewhere; sampled tokens that part are excused then.
    """
    hit = failed or frozenset()
    kind = "prefix_cache" if lab.values("prefix_cache") else BATCH
    for name, answer in usual.answers.items():
        if not answer.accepted or answer.breaches or not answer.deterministic:
            continue
        left = (usual, _open(answer) if name in hit else answer)
        right = (other, _open(other.answers[name]) if name in hit else other.answers[name])
        yield from relate_answers(lab, code, left, right, kind, repeatable=failed is None)


def _open(answer: Answer) -> Answer:
    """The answer without its endings, which the fault has changed."""
    samples = tuple(msgspec.structs.replace(sample, finish_reason=None) for sample in answer.samples)
    return msgspec.structs.replace(answer, samples=samples)


def _moments(recording: Recording) -> Iterator[tuple[str, int]]:
    for name, answer in recording.answers.items():
        if answer.accepted and not answer.breaches and answer.aborted is None and answer.progress:
            start = answer.submitted or 0
            yield from ((name, step) for step in range(start, answer.progress[-1] + 2))


def _leaving(case: Trace, name: str, step: int) -> Trace:
    arrivals = tuple(
        msgspec.structs.replace(arrival, abort=step) if arrival.request.id == name else arrival
        for arrival in case.arrivals
    )
    return msgspec.structs.replace(case, arrivals=arrivals)
