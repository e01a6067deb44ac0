"""Fault injection into a server that offers it, as the capability that executors have too."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from targets.contract import FaultPoint
from targets.errors import UsageError
from targets.http.case import Message
from targets.http.server import Server
from targets.http.wire import json_message


class FaultsUnavailableError(UsageError):
    """A server that offers fault points does not answer about them: it is gone, wedged, or not what it says."""


@dataclass(frozen=True)
class ServerFaults:
    """The fault points of a server whose family has a door to them."""

    server: Server

    def fault_points(self) -> dict[str, int]:
        """Every point, and how often it was passed. Raises `FaultsUnavailableError` if the server does not tell."""
        return msgspec.json.decode(self._ask(Message(method="GET", path=self._path)), type=dict[str, int])

    def inject(self, fault: FaultPoint | None) -> None:
        """Let one pass fail, or no longer. Raises `FaultsUnavailableError` if the server does not take it."""
        self._ask(json_message(self._path, msgspec.to_builtins(fault)))

    @property
    def _path(self) -> str:
        return self.server.family.faults

    def _ask(self, message: Message) -> bytes:
        reply = self.server.ask(message)
        if not reply.is_success:
            said = reply.status or reply.end.value
            raise FaultsUnavailableError(
                f"{message.method} {self._path}: the server answers {said} instead of its fault points."
            )
        return reply.body
