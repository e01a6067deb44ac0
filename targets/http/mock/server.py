"""The mock server: the reference front end over canned answers, with faults in between."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
from starlette.types import ASGIApp

from targets.http.mock.canned import LIMITS, CannedExecutor
from targets.http.mock.injecting import Injecting, Recorded
from targets.http.mock.script import Injection, MockScript, Reply
from targets.reference.server.app import build_app
from targets.reference.server.engine import EngineThread
from targets.reference.server.front_end import FrontEnd
from targets.reference.server.run import HOST, running


class MockServer:
    """A running mock server. The script may be changed at any time; requests are logged in their order."""

    def __init__(self, script: MockScript) -> None:
        self.script = script
        self.port = 0
        self.requests: list[Recorded] = []
        self._used: dict[int, int] = {}

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`; add `/v1` where an OpenAI client wants its base URL."""
        return f"http://{HOST}:{self.port}"

    @property
    def model(self) -> str:
        """The name of the model it serves."""
        return self.script.model

    def reply(self, text: str, contains: str = "") -> None:
        """Answer prompts that contain a text with this from now on."""
        replies = (Reply(text=text, contains=contains), *self.script.replies)
        self.script = msgspec.structs.replace(self.script, replies=replies)

    def inject(self, injection: Injection) -> None:
        """Let this happen from now on; it goes before injections that are there already."""
        self._used = {position + 1: count for position, count in self._used.items()}
        self.script = msgspec.structs.replace(self.script, injections=(injection, *self.script.injections))

    def choose(self, request: Recorded) -> Injection | None:
        """The injection for a request; counts its use."""
        text = _texts(request.body)
        for position, injection in enumerate(self.script.injections):
            used = self._used.get(position, 0)
            spent = injection.times is not None and used >= injection.times
            if not spent and request.path.startswith(injection.path) and injection.contains in text:
                self._used[position] = used + 1
                return injection
        return None


@contextlib.contextmanager
def mock_server(script: MockScript | None = None, port: int = 0) -> Iterator[MockServer]:
    """A mock server on loopback, on a free port unless one is given; shut down on leaving."""
    server = MockServer(script or MockScript())
    with mock_app(server) as app, running(app, port=port) as chosen:
        server.port = chosen
        yield server


@contextlib.contextmanager
def mock_app(server: MockServer) -> Iterator[ASGIApp]:
    """The application of a mock server, for those who serve it themselves."""
    with EngineThread(CannedExecutor(lambda: server.script)) as engine:
        app = build_app(FrontEnd(engine, LIMITS, server.model))
        yield Injecting(app, server.choose, server.requests.append)


def _texts(body: bytes) -> str:
    """The body with its escapes undone as far as it is JSON."""
    try:
        return msgspec.json.encode(msgspec.json.decode(body)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")
