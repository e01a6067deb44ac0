"""What goes wrong behind the front end reaches the client of one request, as an error of the dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuzz.lab.faults import caused_by, faults_between
from fuzz.lab.server_answers import busy, difference
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.asked import answers
from fuzz.properties.servers.leaving import BLOCKS_LEFT, STILL_BUSY, missing_blocks
from fuzz.properties.servers.registration import server_property
from targets.contract import FaultPoint, InjectsFaults
from targets.http.case import HttpCase
from targets.http.client import perform
from targets.http.dialects.model import Answer
from targets.http.dialects.strict_json import StrictJsonError, parse
from targets.http.faults import FaultsUnavailableError, ServerFaults
from targets.http.reply import End, Reply

MOST_FAULTS = 6
"""Faults that are tried in a case, over all points."""
_BROKEN = "answer after a fault"
"""Cause of all violations by an answer that a fault has left incomplete or changed."""


@server_property(
    "H35",
    "A fault reaches one request only",
    sources=("FINITE-06", "LIFE-06", "LIFE-07", "LIFE-08", "LIFE-11", "LIFE-14"),
    needs=(InjectsFaults,),
    suits=answers,
)
def check_fault_isolation(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """When one pass of one layer fails, at most one valid request fails: with 5xx and an error of the dialect.

    A stream that has begun ends with the dialect's error event. The others are answered as they are alone; afterwards
    the canary is answered as ever, nothing is in flight, and all blocks are back. The points and how often each is
    passed are the server's to tell; of a case with more than six passes six are tried, of each point in its turn.
    """
    if not lab.server.family.faults or lab.health() is not None:
        # A server that the case itself has broken down is named by the health check.
        return
    served = [(place, asked) for place, asked in enumerate(lab.asked) if _succeeds(lab, asked)]
    faults = ServerFaults(lab.server)
    alone = {place: lab.steady(asked) for place, asked in served}
    for fault in _choice(lab, faults, case):
        lab.tally.looked += 1
        try:
            faults.inject(fault)
            replies = perform(lab.server.client, case)
            faults.inject(None)
        except FaultsUnavailableError as error:
            gone = lab.violation("H35", "server-gone", f"the server does not answer any more: {error}")
            yield caused_by("H35", fault, gone)
            return
        found = [*_judge(lab, served, replies, alone), *_aftermath(lab)]
        yield from (caused_by("H35", fault, violation) for violation in found)
        if found:
            return


def _choice(lab: HttpLab, faults: ServerFaults, case: HttpCase) -> Sequence[FaultPoint]:
    before = faults.fault_points()
    perform(lab.server.client, case)
    return faults_between(before, faults.fault_points(), MOST_FAULTS)


def _succeeds(lab: HttpLab, asked: Asked) -> bool:
    answer = lab.answer(asked) if any(asked is valid for valid in lab.valid()) else None
    return answer is not None and not answer.problems and not answer.error


def _judge(
    lab: HttpLab,
    served: Sequence[tuple[int, Asked]],
    replies: Sequence[Reply],
    alone: dict[int, Answer | None],
) -> Iterator[Violation]:
    failed = 0
    for place, usual in served:
        asked = usual._replace(reply=replies[place])
        status = asked.reply.status or 0
        if asked.reply.end is not End.COMPLETE:
            yield lab.violation("H35", asked.reply.end.value, f"the reply ended {asked.reply.end.value}", asked)
        elif status >= 500:
            failed += 1
            yield from _envelope(lab, asked)
        elif not asked.reply.is_success:
            yield lab.violation("H35", "refused", f"a valid request gets {status}", asked)
        else:
            answer = lab.answer(asked)
            failed += bool(answer and answer.error)
            if answer is not None and not answer.error:
                yield from _unlike(lab, asked, answer, alone[place])
    if failed > 1:
        yield lab.violation("H35", "several-fail", f"{failed} requests fail together")


def _envelope(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    try:
        problems = lab.dialect.read_error(parse(asked.reply.body), asked.reply.status or 0).problems
    except StrictJsonError as error:
        yield lab.violation("H35", "envelope", f"the error is not JSON: {error}", asked)
        return
    for problem in problems[:1]:
        yield lab.violation("H35", "envelope", f"the error is not in the envelope: {problem.message}", asked)


def _unlike(lab: HttpLab, asked: Asked, answer: Answer, alone: Answer | None) -> Iterator[Violation]:
    for problem in answer.problems[:1]:
        yield lab.violation("H35", problem.slug, f"the answer is broken: {problem.message}", asked, cause=_BROKEN)
    if alone is None or answer.problems:
        return
    lab.tally.compared += 1
    for one, other in zip(alone.choices, answer.choices, strict=False):
        found = difference(one, other)
        if found and lab.still_steady(asked):
            message = f"choice {one.index} answers {one.text!r} alone, {other.text!r} now"
            yield lab.violation("H35", f"{found}-differ", message, asked, cause=_BROKEN)


def _aftermath(lab: HttpLab) -> Iterator[Violation]:
    problem = lab.health()
    if problem is not None:
        yield lab.violation("H35", problem.slug, problem.message)
        return
    found = lab.settled()
    if found is not None and busy(found):
        yield lab.violation("H35", "requests-left", f"requests are in flight: {found}", cause=STILL_BUSY)
    elif found is not None and missing_blocks(found):
        yield lab.violation("H35", "blocks-left", f"blocks are missing: {found}", cause=BLOCKS_LEFT)
