"""What a server shows of what it holds: an accounting of its own, or a process that can be watched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

from targets.http.faults import ServerFaults
from targets.http.server import Server


@runtime_checkable
class ShowsResources(Protocol):
    """A server by URL that accounts for nothing shows nothing."""

    def holdings(self) -> dict[str, Any]:
        """Counts by name."""


def capabilities_of(server: Server) -> object:
    """An object that has the capabilities of the server, as an executor has its own."""
    found: dict[str, Any] = {}
    if server.family.faults:
        faults = ServerFaults(server)
        found |= {"fault_points": faults.fault_points, "inject": faults.inject}
    if server.family.accounting or server.process is not None:
        found["holdings"] = lambda: holdings(server)
    return SimpleNamespace(**found)


def holdings(server: Server) -> dict[str, Any]:
    """What it reports of its resources, or else the connections that its process has accepted and not closed."""
    if server.family.accounting:
        return server.accounting() or {}
    return {"connections": server.process.connections()} if server.process is not None else {}
