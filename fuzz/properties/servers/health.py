"""After any case the server answers a plain request as it did at first."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase


@server_property(
    "H3",
    "The server is healthy after every case",
    sources=("VALID-01", "VALID-02", "VALID-08", "VALID-31", "LIFE-08", "LIFE-14", "FINITE-06"),
    cost=Cost.OBSERVES,
)
def check_health(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A short greedy request gets the same text as on the fresh server, and not more than three times as slowly.

    Two seconds of slowness are forgiven, and a slow answer is asked for a second time before it counts.
    """
    del case
    lab.tally.looked += 1
    problem = lab.health()
    if problem is not None:
        asked = lab.asked[-1]
        yield lab.violation("H3", problem.slug, problem.message, asked, cause=problem.cause)
