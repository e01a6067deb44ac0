"""The cost of a request is proportional to its size."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import Exchange, HttpCase, Piece

_LARGE = 20_000
_SLOW = 0.5
"""Seconds below which nobody is hurt, so nothing is measured."""
_RATIO = 3.0
"""Twice the size may take twice the time; three times is more than noise once the smaller of three runs is taken."""
_REPEATS = 3


@server_property("H7", "Cost is proportional", sources=("VALID-29", "VALID-30", "VALID-33", "VALID-34"), malformed=True)
def check_cost(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Halving a large list, text or nesting at least nearly halves the time.

    Looked at when a request with a large repeated part takes more than half a second; the least of three runs counts.
    """
    del case
    for asked in lab.asked:
        half = _halved(asked.exchange)
        if half is None or asked.reply.seconds < _SLOW:
            continue
        lab.tally.looked += 1
        whole_time = min(asked.reply.seconds, *(lab.send(asked.exchange).seconds for _ in range(_REPEATS - 1)))
        half_time = min(lab.send(half).seconds for _ in range(_REPEATS))
        if whole_time > _SLOW and whole_time > _RATIO * max(half_time, _SLOW / _RATIO):
            message = f"{whole_time:.2f} s, and {half_time:.2f} s for half of it"
            yield lab.violation("H7", "more-than-proportional", message, asked)


def _halved(exchange: Exchange) -> Exchange | None:
    body = exchange.message.body
    if not any(piece.repeat >= 2 and piece.size >= _LARGE for piece in body):
        return None
    pieces = tuple(_half(piece) for piece in body)
    return msgspec.structs.replace(exchange, message=msgspec.structs.replace(exchange.message, body=pieces))


def _half(piece: Piece) -> Piece:
    return msgspec.structs.replace(piece, repeat=piece.repeat // 2) if piece.repeat >= 2 else piece
