from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from targets.http.address import Address
from targets.http.client import Client

Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback that does with every connection what the given function says."""
    listeners: list[socket.socket] = []

    def start(behaviour: Behaviour) -> Client:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, behaviour), daemon=True).start()
        return Client(Address(host="127.0.0.1", port=listener.getsockname()[1]), deadline=5.0)

    yield start
    for listener in listeners:
        listener.close()


def _accept(listener: socket.socket, behaviour: Behaviour) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve_one, args=(connection, behaviour), daemon=True).start()


def _serve_one(connection: socket.socket, behaviour: Behaviour) -> None:
    with contextlib.suppress(OSError), connection:
        behaviour(connection)
