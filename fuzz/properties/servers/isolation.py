"""Requests never reach each other."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_answers import difference
from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase


@server_property(
    "H11",
    "Requests beside or before it change nothing",
    sources=("BATCH-05", "BATCH-09", "BATCH-13", "LIFE-02", "LIFE-03", "STREAM-15"),
)
def check_isolation(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """In a case of several exchanges, every repeatable valid request is answered as it is when it is alone."""
    if len(case.exchanges) < 2:
        return
    for asked in lab.valid(generating=True):
        alone, together = lab.steady(asked), lab.answer(asked)
        if alone is None or together is None or together.problems or not together.choices:
            continue
        lab.tally.looked += 1
        lab.tally.compared += 1
        for one, other in zip(alone.choices, together.choices, strict=False):
            if found := difference(one, other):
                message = f"choice {one.index} answers {one.text!r} alone, {other.text!r} in company"
                yield lab.violation("H11", f"{found}-differ", message, asked)
