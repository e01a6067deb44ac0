"""Shrinking of traces outside Hypothesis, for findings that need a worker to run (crashes and hangs too).

`simplify` proposes, the caller runs each candidate and keeps one that still fails; `size` strictly decreases, so
repeating it ends.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from strategies.malformed import prove
from strategies.repair import is_valid
from strategies.shrinking.measure import size
from strategies.shrinking.traces import candidates
from strategies.space import Space
from targets.trace import Trace

__all__ = ["simplify", "size"]


def simplify(trace: Trace, space: Space | None = None) -> Iterator[Trace]:
    """Simpler traces, the boldest first; each has a smaller `size`, and none is repeated.

    With a space, only traces that lie in it, and whose defects still are defects.
    """
    limit = size(trace)
    seen: set[bytes] = set()
    for candidate in candidates(trace):
        if size(candidate) >= limit or (space is not None and not holds(candidate, space)):
            continue
        key = msgspec.msgpack.encode(candidate)
        if key not in seen:
            seen.add(key)
            yield candidate


def holds(trace: Trace, space: Space) -> bool:
    """Whether a trace is valid in a space but for its defects, each of which is proven."""
    proven = (prove(arrival.request, arrival.defect, space) for arrival in trace.arrivals if arrival.defect is not None)
    return is_valid(trace, space) and all(proven)
