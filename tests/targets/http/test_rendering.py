"""A request can be sent again from a shell, and shows no secret."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import msgspec
import pytest

from targets.http.address import Address
from targets.http.case import Exchange, Framing, HangUp, Message, Piece
from targets.http.mock import MockServer, mock_server
from targets.http.rendering import replay_command
from targets.http.wire import json_message

ADDRESS = Address(host="127.0.0.1", port=8000)


@pytest.fixture
def server() -> Iterator[MockServer]:
    with mock_server() as running:
        yield running


def test_an_ordinary_request_is_a_curl_command_that_works(server: MockServer) -> None:
    body = {"model": "mock", "messages": [{"role": "user", "content": "it's \u00e9"}]}
    exchange = Exchange(message=json_message("/v1/chat/completions", body))
    command = shlex.split(replay_command(exchange, Address(host="127.0.0.1", port=server.port)))
    assert command[0] == "curl"
    sent = command[command.index("--data-binary") + 1]
    assert json.loads(sent) == body


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("path", ["/v1/chat/../models", "/v1/models/{a,b}[1-3]"])
def test_a_path_is_sent_as_it_is(server: MockServer, path: str) -> None:
    exchange = Exchange(message=Message(method="GET", path=path))
    command = shlex.split(replay_command(exchange, Address(host="127.0.0.1", port=server.port)))
    subprocess.run(command, capture_output=True, timeout=20, check=True)
    assert [request.path for request in server.requests] == [path]


def test_a_body_in_chunks_is_sent_in_chunks() -> None:
    message = msgspec.structs.replace(json_message("/v1/completions", {}), framing=Framing.CHUNKED)
    command = shlex.split(replay_command(Exchange(message=message), ADDRESS))
    assert "transfer-encoding: chunked" in command


def test_bytes_that_curl_cannot_send_go_through_a_socket(server: MockServer) -> None:
    message = Message(path="/v1/chat/completions", body=(Piece(text="{", hex="ff"),))
    command = replay_command(Exchange(message=message), Address(host="127.0.0.1", port=server.port))
    shown = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=20, check=True).stdout
    assert "400 Bad Request" in shown


PLACES = [HangUp(after_byte=0), HangUp(after_byte=20), HangUp(after_event=0), HangUp(after_event=2)]


@pytest.mark.parametrize("place", PLACES)
def test_a_client_that_leaves_leaves_again(place: HangUp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(host="127.0.0.1", port=listener.getsockname()[1])
        command = replay_command(Exchange(message=json_message("/v1/completions", {}), hang_up=place), address)
        with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(65536).startswith(b"POST /v1/completions")
                with pytest.raises(OSError, match=r"reset|pipe"):
                    stream_for_ever(connection)
            assert client.wait(10) == 0


def stream_for_ever(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"9\r\ndata: 1\n\n\r\n")
        time.sleep(0.005)


def test_of_a_request_that_is_broken_off_only_the_beginning_is_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(host="127.0.0.1", port=listener.getsockname()[1])
        exchange = Exchange(message=json_message("/v1/completions", {}), hang_up=HangUp(after_sent=5))
        subprocess.run(shlex.split(replay_command(exchange, address)), timeout=20, check=True)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b"POST "


def test_a_broken_frame_goes_through_a_socket() -> None:
    message = Message(path="/", framing=Framing.UNENDED, body=(Piece(text="x"),))
    assert replay_command(Exchange(message=message, half_close=True), ADDRESS).startswith("python3 -c")


def test_secrets_are_hidden() -> None:
    message = Message(method="GET", path="/?api_key=hunter2x", headers=(("authorization", "Bearer hunter2x"),))
    assert "hunter2x" not in replay_command(Exchange(message=message), ADDRESS)


def test_secrets_are_hidden_in_packed_bytes_too() -> None:
    raw = (Piece(text="GET /?api_key=hunter2x HTTP/1.1\r\n\r\n"),)
    header = Message(path="/", framing=Framing.BARE, headers=(("x-api-key", "hunter2x"),))
    for message in (Message(raw=raw), header):
        script = shlex.split(replay_command(Exchange(message=message), ADDRESS))[-1]
        packed = script.partition("b64decode('")[2].partition("'")[0]
        assert b"hunter2x" not in base64.b64decode(packed)
