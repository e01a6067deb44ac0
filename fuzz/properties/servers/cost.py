"""The cost of a request is proportional to its size."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from fuzz.lab.server_lab import HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import Exchange, HttpCase, Piece
from targets.http.reply import End

_LARGE = 20_000
_SLOW = 0.5
"""Seconds below which nobody is hurt, so nothing is measured."""
_RATIO = 3.0
"""Twice the size may take twice the time; three times is more than noise once every round agrees."""
_ROUNDS = 4


@server_property("H7", "Cost is proportional", sources=("VALID-29", "VALID-30", "VALID-33", "VALID-34"), malformed=True)
def check_cost(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Halving a large list, text or nesting at least nearly halves the time.

    Looked at when a request with a large repeated part takes more than half a second. The whole and the half are sent
    in turns, and every one of four rounds must agree: what else the machine does hits both. Time is the CPU time of the
    server where it can be told, else that on the clock.
    """
    del case
    for asked in lab.asked:
        half = _halved(asked.exchange)
        if half is None or asked.reply.seconds < _SLOW:
            continue
        lab.tally.looked += 1
        rounds: list[tuple[float, float]] = []
        while len(rounds) < _ROUNDS and lab.has_time and (not rounds or _is_more(*rounds[-1])):
            rounds.append((_spent(lab, asked.exchange), _spent(lab, half)))
        if len(rounds) == _ROUNDS and _is_more(*rounds[-1]):
            whole_time, half_time = min(rounds)
            message = f"{whole_time:.2f} s, and {half_time:.2f} s for half of it, {_ROUNDS} times in a row"
            yield lab.violation("H7", "more-than-proportional", message, asked)


def _is_more(whole: float, half: float) -> bool:
    return whole > _SLOW and whole > _RATIO * max(half, _SLOW / _RATIO)


def _spent(lab: HttpLab, exchange: Exchange) -> float:
    """Seconds that the server spends on an exchange; not a number if it did not end in time."""
    before = lab.server.cpu_seconds()
    reply = lab.send(exchange)
    after = lab.server.cpu_seconds()
    if reply.end is End.TIMED_OUT:
        return math.nan  # nobody knows what the rest would have cost
    return reply.seconds if before is None or after is None else after - before


def _halved(exchange: Exchange) -> Exchange | None:
    body = exchange.message.body
    if not any(piece.repeat >= 2 and piece.size >= _LARGE for piece in body):
        return None
    pieces = tuple(_half(piece) for piece in body)
    return msgspec.structs.replace(exchange, message=msgspec.structs.replace(exchange.message, body=pieces))


def _half(piece: Piece) -> Piece:
    return msgspec.structs.replace(piece, repeat=piece.repeat // 2) if piece.repeat >= 2 else piece
