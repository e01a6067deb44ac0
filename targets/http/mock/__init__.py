"""A server with canned answers and injected faults, for people who test their own clients."""

from __future__ import annotations

from targets.http.mock.script import Injection, MockScript, Reply
from targets.http.mock.server import MockServer, mock_server

__all__ = ["Injection", "MockScript", "MockServer", "Reply", "mock_server"]
