"""What answers of a server differ in, but for what rounding may have done."""

from __future__ import annotations

from fuzz.lab.server_answers import difference
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.lab.server_rounding import is_tie, lead_where_they_part
from targets.http.dialects.fields import asking_for_scores, is_greedy
from targets.http.dialects.model import Choice, Dialect, Json

RESHAPING = ("frequency_penalty", "presence_penalty", "logit_bias", "response_format")
"""Options that change what is chosen but, with some servers, not the log-probabilities they report."""


def differs(lab: HttpLab, asked: Asked, one: Choice, other: Choice, *, company: bool = True) -> str:
    """What another answer differs in from the one that a request gets alone; empty if nothing does.

    Log-probabilities may move by as much as the server rounds. That a token which led by less than twice that is
    another one is excused, and counted (`properties.md` 2.0, rule 2). Where it is not known by how much it led, as in
    a draw, nothing can be said about a server that rounds if the other answer was made in `company`, or may have been:
    that counts as not compared.
    """
    found = difference(one, other)
    if not found:
        return ""
    if found == "logprobs":
        return found if all(difference(one, other, bound) for bound in lab.roundings()) else ""
    lead = _lead(lab, asked, one, other)
    if (lead is None and not company) or not any(is_tie(lead, bound) for bound in lab.roundings()):
        return found
    if lead is None:
        lab.tally.compared -= 1
    else:
        lab.tally.excused += 1
    return ""


def _lead(lab: HttpLab, asked: Asked, one: Choice, other: Choice) -> float | None:
    if asked.endpoint is None or asked.body is None or not _shows_lead(lab.dialect, asked.body):
        return None
    body = asking_for_scores(lab.dialect, lab.family, asked.endpoint, lab.plain(asked.endpoint, asked.body))
    answer = lab.put(asked.endpoint, body) if body else None
    scored = [choice for choice in answer.choices if choice.index == one.index] if answer else []
    return lead_where_they_part(scored[0], one, other) if scored else None


def _shows_lead(dialect: Dialect, body: dict[str, Json]) -> bool:
    """Whether the reported log-probabilities are those that the choice was made by."""
    return is_greedy(dialect, body) and not any(body.get(name) for name in RESHAPING)
