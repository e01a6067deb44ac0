"""Nothing is left behind, whether the client waits or leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fuzz.lab.server_answers import busy
from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.resources import ShowsResources

STILL_BUSY = "requests left"
"""Cause of requests that go on when nobody waits, whatever ended them; H35 tells of it, too."""
BLOCKS_LEFT = "blocks left"
"""The same of blocks that are not given back."""


@server_property(
    "H12",
    "Nothing is left behind",
    sources=("LIFE-04", "LIFE-08", "LIFE-09", "LIFE-11", "LIFE-12", "LIFE-13", "LIFE-15"),
    needs=(ShowsResources,),
    cost=Cost.OBSERVES,
)
def check_conservation(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Two seconds after the last reply or hang-up nothing runs or waits, and free and cached blocks are all blocks.

    Of a server that was started by us and accounts for nothing, no connection is open any more after the time that
    an answer may take.
    """
    del case
    found = lab.settled()
    if found is None:
        return
    lab.tally.looked += 1
    after = "after a client left" if lab.client_left else "at idle"
    if busy(found):
        slug = "connections-left" if "connections" in found else "requests-left"
        cause = STILL_BUSY if slug == "requests-left" else ""
        yield lab.violation("H12", slug, f"{after} requests are in flight: {found}", lab.asked[-1], cause=cause)
    elif missing_blocks(found):
        yield lab.violation(
            "H12", "blocks-left", f"{after} blocks are missing: {found}", lab.asked[-1], cause=BLOCKS_LEFT
        )


def missing_blocks(found: dict[str, Any]) -> bool:
    """Whether an accounting at idle lacks blocks, or shows too many."""
    if not {"total_blocks", "free_blocks", "cached_blocks"} <= found.keys():
        return False
    return bool(found["free_blocks"] + found["cached_blocks"] != found["total_blocks"])
