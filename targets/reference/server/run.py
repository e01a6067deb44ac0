"""Serving an application, in a thread of this process or until interrupted."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from targets.contract import Executor, Limits, Target
from targets.reference.server.app import build_app
from targets.reference.server.engine import EngineThread
from targets.reference.server.front_end import FrontEnd

HOST = "127.0.0.1"
_START_SECONDS = 10.0


@contextlib.contextmanager
def running(app: ASGIApp, host: str = HOST, port: int = 0) -> Iterator[int]:
    """Serves the application in a thread; yields the port, a free one for 0. Shut down on leaving."""
    with socket.create_server((host, port)) as listener:
        server = uvicorn.Server(_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _await_start(server, thread)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()


@contextlib.contextmanager
def serving(executor: Executor, limits: Limits, model: str, port: int = 0) -> Iterator[int]:
    """Serves an executor in three dialects; yields the port. The executor is closed on leaving."""
    with EngineThread(executor) as engine, running(build_app(FrontEnd(engine, limits, model)), port=port) as chosen:
        yield chosen


@contextlib.contextmanager
def serving_target(target: Target, device: str = "cpu", dtype: str = "float32", port: int = 0) -> Iterator[int]:
    """Serves a target's executor under the target's name; yields the port."""
    executor = target.open(target.load(device, dtype))
    with serving(executor, target.limits, target.name, port) as chosen:
        yield chosen


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,  # errors go to the root logger, where whoever runs the server looks for them
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
    )


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("the HTTP server did not start")
        time.sleep(0.002)
