"""What goes wrong behind the front end reaches the client of one request, as an error of the dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuzz.lab.faults import caused_by, faults_between
from fuzz.lab.server_answers import busy, difference, same_choices
from fuzz.lab.server_lab import RECHECKS, Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.asked import answers
from fuzz.properties.servers.leaving import BLOCKS_LEFT, STILL_BUSY, missing_blocks
from fuzz.properties.servers.registration import server_property
from targets.contract import InjectsFaults
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
    passed are the server's to tell; of a case with more than six passes six are tried, of each point in its turn. Where
    company alone changes an answer, nothing is judged.
    """
    if not lab.server.family.faults or lab.health() is not None:
        # A server that the case itself has broken down is named by the health check.
        return
    served = tuple((place, asked) for place, asked in enumerate(lab.asked) if _succeeds(lab, asked))
    faults = ServerFaults(lab.server)
    company = _Company(lab, case, served, {place: lab.steady(asked) for place, asked in served})
    before = faults.fault_points()
    if not company.is_as_alone([asked.reply for asked in lab.asked]) or not company.stays_as_alone(1):
        return
    for fault in faults_between(before, faults.fault_points(), MOST_FAULTS):
        lab.tally.looked += 1
        try:
            faults.inject(fault)
            replies = perform(lab.server.client, case)
            faults.inject(None)
        except FaultsUnavailableError as error:
            gone = lab.violation("H35", "server-gone", f"the server does not answer any more: {error}")
            yield caused_by("H35", fault, gone)
            return
        found = [*_judge(company, replies), *_aftermath(lab)]
        yield from (caused_by("H35", fault, violation) for violation in found)
        if found:
            return


@dataclass(frozen=True)
class _Company:
    """The requests of a case that are answered when nothing fails."""

    lab: HttpLab
    case: HttpCase
    served: tuple[tuple[int, Asked], ...]
    """With their places in the case."""
    alone: dict[int, Answer | None]
    """What they are answered by themselves, where that is repeatable."""

    def is_as_alone(self, replies: Sequence[Reply]) -> bool:
        """Whether these replies to the case say what each request is answered by itself.

        What is otherwise even without a fault is for other properties to tell.
        """
        answers = ((self.lab.answer(asked._replace(reply=replies[place])), place) for place, asked in self.served)
        return all(self.alone[place] is None or same_choices(answer, self.alone[place]) for answer, place in answers)

    def stays_as_alone(self, times: int) -> bool:
        """Whether it is so when the case is performed so many times more."""
        return all(self.is_as_alone(perform(self.lab.server.client, self.case)) for _ in range(times))


def _succeeds(lab: HttpLab, asked: Asked) -> bool:
    answer = lab.answer(asked) if any(asked is valid for valid in lab.valid()) else None
    return answer is not None and not answer.problems and not answer.error


def _judge(company: _Company, replies: Sequence[Reply]) -> Iterator[Violation]:
    lab, failed = company.lab, 0
    for place, usual in company.served:
        asked = usual._replace(reply=replies[place])
        status = asked.reply.status or 0
        if asked.reply.end is not End.COMPLETE:
            yield lab.broken("H35", asked.reply.end.value, f"the reply ended {asked.reply.end.value}", asked)
        elif status >= 500:
            failed += 1
            yield from _envelope(lab, asked)
        elif not asked.reply.is_success:
            yield lab.violation("H35", "refused", f"a valid request gets {status}", asked)
        else:
            answer = lab.answer(asked)
            failed += bool(answer and answer.error)
            if answer is not None and not answer.error:
                yield from _unlike(company, asked, answer, company.alone[place])
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


def _unlike(company: _Company, asked: Asked, answer: Answer, alone: Answer | None) -> Iterator[Violation]:
    lab = company.lab
    for problem in answer.problems[:1]:
        yield lab.violation("H35", problem.slug, f"the answer is broken: {problem.message}", asked, cause=_BROKEN)
    if alone is None or answer.problems:
        return
    lab.tally.compared += 1
    for one, other in zip(alone.choices, answer.choices, strict=False):
        found = difference(one, other)
        if found and company.stays_as_alone(RECHECKS):
            message = f"choice {one.index} answers {one.text!r} alone, {other.text!r} now"
            yield lab.violation("H35", f"{found}-differ", message, asked, cause=_BROKEN)


def _aftermath(lab: HttpLab) -> Iterator[Violation]:
    problem = lab.health()
    if problem is not None:
        yield lab.violation("H35", problem.slug, problem.message, cause=problem.cause)
        return
    found = lab.settled()
    if found is not None and busy(found):
        yield lab.violation("H35", "requests-left", f"requests are in flight: {found}", cause=STILL_BUSY)
    elif found is not None and missing_blocks(found):
        yield lab.violation("H35", "blocks-left", f"blocks are missing: {found}", cause=BLOCKS_LEFT)
