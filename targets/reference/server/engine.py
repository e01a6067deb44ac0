"""One thread that owns the executor: it takes commands, steps, and hands every event to its request."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import numpy as np

from targets.contract import (
    Detokenizes,
    Executor,
    FaultPoint,
    FinishReason,
    InjectsFaults,
    Output,
    ReportsResources,
    Request,
    RequestRejected,
    Resources,
    ScoresTokens,
)
from targets.errors import UsageError

T = TypeVar("T")
Deliver = Callable[[Output], None]
"""Called in the engine's thread; must not block."""


class EngineThread:
    """Runs an executor for a server. Use as a context manager."""

    def __init__(self, executor: Executor) -> None:
        if not isinstance(executor, Detokenizes):
            raise UsageError(f"A server needs an executor that speaks text; {type(executor).__name__} does not.")
        self._executor = executor
        self._text: Detokenizes = executor
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._listeners: dict[str, Deliver] = {}
        self._unfinished: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> EngineThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.put(None)
        self._thread.join()
        self._executor.close()

    def call(self, function: Callable[[Executor], T]) -> Future[T]:
        """Run a function on the executor between two steps."""
        future: Future[T] = Future()

        def command() -> None:
            try:
                future.set_result(function(self._executor))
            except Exception as error:  # noqa: BLE001 - raised where the future is awaited
                future.set_exception(error)

        self._commands.put(command)
        return future

    def submit(self, request: Request, deliver: Deliver) -> Future[None]:
        """Queue a request; its events go to `deliver`. The future raises `RequestRejected`."""

        def admit(executor: Executor) -> None:
            executor.submit(request)
            self._listeners[request.id] = deliver
            self._unfinished[request.id] = request.sampling.n

        return self.call(admit)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of a text. Raises `RequestRejected`."""
        return self._text.tokenize(text)

    def token_text(self, token: int) -> str:
        """The text of one token, or `token_id:7` for one that ends inside a character or has no text."""
        text = self._text.detokenize((token,))
        return f"token_id:{token}" if not text or "\ufffd" in text else text

    def abort(self, request_id: str) -> None:
        """End a request if it still runs; nothing of it is delivered any more."""

        def end(executor: Executor) -> None:
            self._listeners.pop(request_id, None)
            executor.abort(request_id)

        self.call(end)

    def embed(self, tokens: tuple[int, ...]) -> Future[list[float]]:
        """The last position's logits, scaled to length one. The future raises `RequestRejected`."""
        return self.call(lambda executor: _embed(executor, tokens))

    def resources(self) -> Future[Resources | None]:
        """What the executor reports, if it does; requests in flight of which nobody listens count as running."""
        return self.call(lambda executor: executor.resources() if isinstance(executor, ReportsResources) else None)

    def fault_points(self) -> Future[dict[str, int]]:
        """Points of the executor at which a fault can be injected, and how often each was passed."""
        return self.call(lambda executor: dict(executor.fault_points()) if isinstance(executor, InjectsFaults) else {})

    def inject(self, fault: FaultPoint | None) -> Future[None]:
        """Let one pass of one of these points fail, or no longer."""
        return self.call(lambda executor: executor.inject(fault) if isinstance(executor, InjectsFaults) else None)

    @property
    def open_requests(self) -> int:
        """Requests whose last event has not come."""
        return len(self._unfinished)

    def _run(self) -> None:
        while True:
            command: Callable[[], None] | None
            try:
                command = self._commands.get(block=not self._unfinished)
            except queue.Empty:
                self._step()
                continue
            if command is None:
                return
            command()

    def _step(self) -> None:
        try:
            events = self._executor.step()
        except Exception as error:  # noqa: BLE001 - a failed step ends the requests, not the server
            self._fail(f"{type(error).__name__} in the executor")
            return
        for event in events:
            self._hand_out(event)
        if not events and self._unfinished:
            self._fail("the executor is idle, and this request has not ended")

    def _hand_out(self, event: Output) -> None:
        deliver = self._listeners.get(event.request_id)
        if event.finish_reason is not None and event.request_id in self._unfinished:
            self._unfinished[event.request_id] -= 1
            if not self._unfinished[event.request_id]:
                del self._unfinished[event.request_id]
                self._listeners.pop(event.request_id, None)
        if deliver is not None:
            deliver(event)

    def _fail(self, message: str) -> None:
        for request_id in list(self._unfinished):
            self._executor.abort(request_id)
            deliver = self._listeners.pop(request_id, None)
            del self._unfinished[request_id]
            if deliver is not None:
                deliver(Output(request_id=request_id, finish_reason=FinishReason.ERROR, error=message))


def _embed(executor: Executor, tokens: tuple[int, ...]) -> list[float]:
    if not isinstance(executor, ScoresTokens):
        raise RequestRejected("model", type(executor).__name__, "an executor that scores tokens")
    last = np.asarray(executor.logits(tokens)[-1], dtype=np.float64)
    return [float(value) for value in last / max(float(np.linalg.norm(last)), 1e-12)]
