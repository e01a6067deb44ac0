"""A server in hand: how to reach it, what is known of it, and how to end it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from targets.http.api import HttpApi
from targets.http.case import Message
from targets.http.client import Client, ask
from targets.http.dialects import dialect_named
from targets.http.dialects.model import Dialect
from targets.http.families import Family, family_named
from targets.http.keeper import KeptProcess
from targets.http.logged import LoggedHere, WritesOutput
from targets.http.openapi import OFFERED_AT, request_schemas
from targets.http.process import ServerProcess
from targets.http.reply import Reply


@dataclass(frozen=True)
class Server:
    """What a target of kind `http` opens. Servers without a process of ours are left alone on closing."""

    client: Client
    api: HttpApi
    stop: Callable[[], None] = lambda: None
    process: ServerProcess | KeptProcess | None = None
    logged: LoggedHere | None = None
    """What it logs, if it runs in this process."""

    @property
    def dialect(self) -> Dialect:
        """The dialect it speaks."""
        return dialect_named(self.api.dialect)

    @property
    def family(self) -> Family:
        """How it differs from the strict reading."""
        return family_named(self.api.family)

    @property
    def output(self) -> WritesOutput | None:
        """What it writes beside its answers; None if it is elsewhere."""
        return self.process or self.logged

    def ask(self, message: Message) -> Reply:
        """The reply to a message that is sent in the ordinary way."""
        return ask(self.client, message)

    def accounting(self) -> dict[str, Any] | None:
        """What it reports of its resources; None if it does not."""
        if not self.family.accounting:
            return None
        reply = self.ask(Message(method="GET", path=self.family.accounting))
        return json.loads(reply.body) if reply.is_success else None

    def schema(self) -> bytes:
        """Its own OpenAPI document, as JSON; empty if it offers none that describes a request."""
        reply = self.ask(Message(method="GET", path=OFFERED_AT))
        try:
            described = request_schemas(json.loads(reply.body)) if reply.is_success else {}
        except (ValueError, RecursionError):
            return b""
        return reply.body if described else b""

    def cpu_seconds(self) -> float | None:
        """Seconds of CPU that it has used; with the client's where it runs in this process. None if it is elsewhere."""
        if self.logged is not None:
            return time.process_time()
        return self.process.cpu_seconds() if self.process is not None else None

    def close(self) -> None:
        """End it, if we started it."""
        self.stop()
