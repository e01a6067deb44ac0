"""What an HTTP case comes to on a server: replies without what differs from run to run, and what they leave behind."""

from __future__ import annotations

import re
from dataclasses import replace

from fuzz.lab.server_lab import HttpLab
from targets.contract import FaultPoint, Target
from targets.errors import UsageError
from targets.http.case import HttpCase
from targets.http.faults import ServerFaults
from targets.http.reply import Reply
from targets.http.server import Server

PATIENCE = 3.0
"""Seconds that a reply may take here."""
_VARYING = re.compile(
    rb'"(?:id":"[^"]*"|created":[0-9]{10}\b|created_at":"[^"]*"|modified_at":"[^"]*"|[a-z_]+_duration":[0-9]+)'
)
"""Names, moments and durations. A time stamp in milliseconds is none of them."""
_KEPT = ("running", "waiting", "open_requests", "total_blocks")


def server_outcome(target: Target, case: HttpCase, fault: FaultPoint | None = None) -> object:
    """Starts the target's server for this one case. A server that answers nothing at all has an outcome too."""
    server: Server = target.open(target.load("cpu", "float32"))
    try:
        lab = HttpLab(replace(server, client=replace(server.client, deadline=PATIENCE)))
        if fault is not None:
            ServerFaults(lab.server).inject(fault)
        lab.begin(case)
        replies = [_seen(asked.reply) for asked in lab.asked]
        health = lab.health()
        return (replies, health.signature) if health else (replies, _left(lab))
    except UsageError as error:
        return str(error).partition(" at ")[0]
    finally:
        server.close()


def _seen(reply: Reply) -> tuple[object, ...]:
    # How much of an answer a client has read when it leaves is a matter of time.
    whole = reply.end.value != "hung-up"
    return reply.end, reply.status, whole and reply.media_type, whole and _VARYING.sub(b"", reply.body)


def _left(lab: HttpLab) -> object:
    """Requests in flight, and blocks that nobody has; None if the server does not account for them."""
    try:
        found = lab.settled()
    except ValueError:
        return "no accounting"
    if found is None:
        return None
    missing = found.get("total_blocks", 0) - found.get("free_blocks", 0) - found.get("cached_blocks", 0)
    return [found.get(name) for name in _KEPT], missing
