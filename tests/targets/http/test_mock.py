"""The mock server speaks every dialect, says what it was told, and breaks in the ways it was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fuzz.pytest_mock import inferfuzz_mock_server as _fixture
from targets.http.dialects import DIALECTS
from targets.http.mock import Injection, MockScript, MockServer, mock_server

inferfuzz_mock_server = _fixture


@pytest.fixture(scope="module")
def shared() -> Iterator[MockServer]:
    with mock_server() as server:
        yield server


@pytest.fixture
def server(shared: MockServer) -> MockServer:
    shared.script = MockScript()
    shared.requests.clear()
    return shared


def chat(server: MockServer, content: str = "hi", **more: Any) -> httpx.Response:
    body = {"model": server.model, "messages": [{"role": "user", "content": content}], **more}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=5)


def text_of(response: httpx.Response) -> str:
    return str(response.json()["choices"][0]["message"]["content"])


def test_the_fixture_is_a_running_server(inferfuzz_mock_server: MockServer) -> None:
    assert text_of(chat(inferfuzz_mock_server)) == "This is a canned answer."


def test_prompts_get_the_replies_meant_for_them(server: MockServer) -> None:
    server.reply("Paris", contains="France")
    server.reply("Rome", contains="Italy")
    assert text_of(chat(server, "capital of France?")) == "Paris"
    assert text_of(chat(server, "capital of Italy?")) == "Rome"
    assert text_of(chat(server, "else")) == "This is a canned answer."


def test_anthropic_clients_are_answered(server: MockServer) -> None:
    body = {"model": "mock", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    headers = {"anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{server.url}/v1/messages", json=body, headers=headers).json()
    assert answer["content"] == [{"type": "text", "text": "This is a canned answer."}]
    assert answer["stop_reason"] == "end_turn"


def test_ollama_clients_are_answered(server: MockServer) -> None:
    body = {"model": "mock", "prompt": "x", "stream": False}
    answer = httpx.post(f"{server.url}/api/generate", json=body).json()
    assert (answer["response"], answer["done_reason"]) == ("This is a canned answer.", "stop")


def test_a_stream_says_the_same_word_by_word(server: MockServer) -> None:
    response = chat(server, stream=True)
    dialect = DIALECTS["openai"]
    endpoint = dialect.endpoint("chat")
    assert endpoint is not None
    answer = dialect.read_stream(endpoint, response.content, {})
    assert answer.problems == ()
    assert answer.choices[0].text == "This is a canned answer."
    assert answer.events > 5


def test_max_tokens_cuts_the_answer(server: MockServer) -> None:
    choice = chat(server, max_tokens=2).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("This is", "length")


def test_a_stop_string_cuts_the_answer(server: MockServer) -> None:
    choice = chat(server, stop=" canned").json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("This is a", "stop")


def test_every_sample_gets_the_answer(server: MockServer) -> None:
    assert len(chat(server, n=3).json()["choices"]) == 3


def test_an_injected_error_comes_in_the_envelope_and_only_so_many_times(server: MockServer) -> None:
    server.inject(Injection(status=429, message="slow down", retry_after=3, times=1))
    refused = chat(server)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert refused.json()["error"]["message"] == "slow down"
    assert chat(server).status_code == 200


def test_an_injection_is_for_one_path(server: MockServer) -> None:
    server.inject(Injection(path="/api/", status=500))
    assert chat(server).status_code == 200
    answer = httpx.post(f"{server.url}/api/chat", json={"model": "mock", "messages": []})
    assert (answer.status_code, answer.json()) == (500, {"error": "injected error"})


def test_an_injection_is_for_prompts_that_contain_a_text(server: MockServer) -> None:
    server.inject(Injection(contains="forbidden", status=403))
    assert chat(server, "fine").status_code == 200
    assert chat(server, "forbidden").status_code == 403


def test_a_server_that_never_answers_lets_the_client_time_out(server: MockServer) -> None:
    server.inject(Injection(never=True))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json={}, timeout=0.1)


def test_a_cut_stream_ends_within_the_body(server: MockServer) -> None:
    server.inject(Injection(cut_after=2))
    with pytest.raises(httpx.RemoteProtocolError):
        chat(server, stream=True)


def test_a_corrupted_stream_holds_garbage_in_place_of_one_event(server: MockServer) -> None:
    server.inject(Injection(corrupt_after=1))
    assert b"garbage" in chat(server, stream=True).content.split(b"\n\n")[1]


def test_requests_are_logged(server: MockServer) -> None:
    chat(server, "remember me")
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json["messages"][0]["content"] == "remember me"


def test_an_injection_with_a_success_status_is_refused() -> None:
    with pytest.raises(ValueError, match="must be an error status"):
        Injection(status=200)
