"""A server may do anything; the client answers with a value, bounded in time and memory."""

from __future__ import annotations

import socket
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import pytest

from targets.http import client
from targets.http.address import Address
from targets.http.case import Exchange, Framing, HangUp, HttpCase, Message, Pace, Piece
from targets.http.client import Client, ask, perform, send
from targets.http.reply import End

Serve = Callable[[Callable[[socket.socket], None]], Client]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
POST = Message(path="/x", body=(Piece(text="{}"),))


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


def answering(response: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(response)

    return behave


def test_a_whole_response_is_complete(serve: Serve) -> None:
    reply = ask(serve(answering(OK)), POST)
    assert (reply.end, reply.status, reply.body, reply.media_type) == (End.COMPLETE, 200, b"{}", "application/json")


def test_a_server_that_is_not_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(Client(Address(host="127.0.0.1", port=port)), POST).end is End.REFUSED


def test_garbage_is_no_response(serve: Serve) -> None:
    reply = ask(serve(answering(b"\x00\x01 what is this\r\n\r\n")), POST)
    assert reply.end is End.GARBAGE
    assert "what is this" in reply.problem


def test_a_server_that_never_answers_times_out(serve: Serve) -> None:
    released = threading.Event()
    client = replace(serve(lambda _: (released.wait(5), None)[1]), deadline=0.2)
    assert ask(client, POST).end is End.TIMED_OUT
    released.set()


def test_a_body_that_does_not_end_is_cut_at_the_limit(serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    client = replace(serve(flood), body_limit=2**20)
    reply = ask(client, POST)
    assert reply.end is End.FLOODED
    assert len(reply.body) < 2**21


def test_a_head_that_does_not_end_is_cut_off(serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x-more: " + b"y" * 1000 + b"\r\n")

    assert ask(serve(flood), POST).end is End.GARBAGE


def test_a_compressed_body_is_kept_as_it_is_and_named(serve: Serve) -> None:
    packed = b"\x1f\x8b" + b"0" * 20
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 22\r\n\r\n"
    reply = ask(serve(answering(head + packed)), POST)
    assert (reply.end, reply.encoding, reply.body) == (End.COMPLETE, "gzip", packed)


def test_tls_on_a_plain_port_is_recognised(serve: Serve) -> None:
    assert ask(serve(answering(bytes.fromhex("15030100020250"))), POST).end is End.TLS


def test_a_connection_closed_without_a_response_is_closed(serve: Serve) -> None:
    assert ask(serve(answering(b"")), POST).end is End.CLOSED


def test_a_body_shorter_than_its_length_is_truncated(serve: Serve) -> None:
    reply = ask(serve(answering(OK[:-1])), POST)
    assert (reply.end, reply.status) == (End.TRUNCATED, 200)


def test_chunks_without_the_last_one_are_truncated(serve: Serve) -> None:
    response = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
    reply = ask(serve(answering(response)), POST)
    assert (reply.end, reply.body) == (End.TRUNCATED, b"ab")


def test_a_hang_up_after_an_event_reads_that_many_events(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    gone = threading.Event()

    def stream(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        try:
            while True:
                connection.sendall(b"9\r\ndata: 1\n\n\r\n")
        except OSError:
            gone.set()

    reply = send(serve(stream), Exchange(message=POST, hang_up=HangUp(after_event=2)))
    assert reply.end is End.HUNG_UP
    assert reply.body.count(b"\n\n") >= 2
    assert gone.wait(5)


def test_a_hang_up_while_sending_leaves_the_rest_unsent(serve: Serve) -> None:
    received = []
    done = threading.Event()

    def listen(connection: socket.socket) -> None:
        received.append(connection.recv(100))
        done.set()

    reply = send(serve(listen), Exchange(message=POST, hang_up=HangUp(after_sent=5)))
    assert reply.end is End.HUNG_UP
    assert done.wait(5)
    assert received == [b"POST "]


def test_a_client_that_leaves_while_it_waits_has_sent_everything(serve: Serve) -> None:
    received = []
    done = threading.Event()

    def listen(connection: socket.socket) -> None:
        time.sleep(0.2)
        received.append(read_request(connection))
        received.append(connection.recv(1))
        done.set()

    reply = send(serve(listen), Exchange(message=POST, hang_up=HangUp(after_byte=0)))
    assert reply.end is End.HUNG_UP
    assert done.wait(5)
    assert [received[0][:5], received[1]] == [b"POST ", b""]


def test_a_slow_sender_sends_the_same_bytes(serve: Serve) -> None:
    received = []

    def behave(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(OK)

    message = Message(method="GET", path="/slow")
    reply = send(serve(behave), Exchange(message=message, pace=Pace(piece=7, pause=0.001)))
    assert reply.is_success
    assert received[0].startswith(b"GET /slow HTTP/1.1\r\nhost: 127.0.0.1:")


def test_a_reused_connection_carries_two_exchanges(serve: Serve) -> None:
    connections = []

    def behave(connection: socket.socket) -> None:
        connections.append(connection)
        for _ in range(2):
            read_request(connection)
            connection.sendall(OK)

    get = Message(method="GET", path="/")
    case = HttpCase(dialect="openai", exchanges=(Exchange(message=get), Exchange(message=get, reuse=True)))
    replies = perform(serve(behave), case)
    assert [reply.is_success for reply in replies] == [True, True]
    assert len(connections) == 1


def test_concurrent_exchanges_are_open_at_the_same_time(serve: Serve) -> None:
    meeting = threading.Barrier(3, timeout=5)

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        meeting.wait()
        connection.sendall(OK)

    case = HttpCase(dialect="openai", exchanges=(Exchange(message=POST),) * 3, concurrent=True)
    assert [reply.is_success for reply in perform(serve(behave), case)] == [True, True, True]


def test_the_last_bytes_of_concurrent_requests_are_sent_in_their_order_and_apart_when_all_else_has_been(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    wait = time.sleep

    def waiting(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            sent.append(b"waited")
        wait(seconds)

    monkeypatch.setattr(time, "sleep", waiting)
    send_data = client._send

    def noting(connection: socket.socket, data: bytes, pace: Pace | None, until: float) -> str:
        sent.append(data)
        return send_data(connection, data, pace, until)

    monkeypatch.setattr(client, "_send", noting)
    exchanges = tuple(
        Exchange(message=Message(path="/x", body=(Piece(text="x", repeat=size), Piece(text=name))))
        for name, size in (("a", 50_000), ("b", 1), ("c", 5_000))
    )
    replies = perform(serve(answering(OK)), HttpCase(dialect="openai", exchanges=exchanges, concurrent=True))

    assert [reply.end for reply in replies] == [End.COMPLETE] * 3
    assert sent[3:] == [b"waited", b"a", b"waited", b"b", b"waited", b"c"]


def test_no_connection_of_concurrent_requests_is_left_open(serve: Serve) -> None:
    case = HttpCase(dialect="openai", exchanges=(Exchange(message=POST),) * 3, concurrent=True)
    client = serve(answering(OK))
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always", ResourceWarning)
        perform(client, case)
    assert [str(warning.message) for warning in noted] == []


def test_a_slow_sender_does_not_keep_those_beside_it_waiting(serve: Serve) -> None:
    case = HttpCase(
        dialect="openai",
        exchanges=(Exchange(message=POST, pace=Pace(piece=20, pause=0.2)), Exchange(message=POST)),
        concurrent=True,
    )
    slow, quick = perform(serve(answering(OK)), case)
    assert (slow.end, quick.end) == (End.COMPLETE, End.COMPLETE)
    assert quick.seconds < slow.seconds


def test_credentials_of_the_client_are_sent_with_every_request(serve: Serve) -> None:
    received = []

    def behave(connection: socket.socket) -> None:
        received.append(read_request(connection))
        connection.sendall(OK)

    client = replace(serve(behave), headers=(("authorization", "Bearer abc"),))
    assert ask(client, POST).is_success
    assert b"authorization: Bearer abc\r\n" in received[0]


def test_a_half_closed_sender_still_reads_the_response(serve: Serve) -> None:
    def behave(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass
        connection.sendall(OK)

    message = Message(path="/x", body=(Piece(text="{"),), framing=Framing.UNENDED)
    assert send(serve(behave), Exchange(message=message, half_close=True)).is_success
