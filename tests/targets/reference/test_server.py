"""The front end is strict: what it accepts it answers by the grammar, what it refuses it refuses in the envelope."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from targets import registry
from targets.http.address import Address
from targets.http.case import Exchange, HangUp, Message, Piece
from targets.http.client import Client, ask, send
from targets.http.dialects import DIALECTS
from targets.http.dialects.anthropic import ANTHROPIC
from targets.http.dialects.model import Answer, Dialect, Endpoint
from targets.http.dialects.ollama import OLLAMA
from targets.http.dialects.openai import OPENAI
from targets.http.wire import json_message
from targets.reference.server.app import RESOURCES
from targets.reference.server.run import serving_target

MODEL = "reference-hash"
PROMPTS: dict[tuple[str, str], dict[str, Any]] = {
    ("openai", "completions"): {"prompt": "hello", "max_tokens": 8, "temperature": 0},
    ("openai", "chat"): {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "temperature": 0},
    ("anthropic", "messages"): {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, "temperature": 0},
    ("ollama", "generate"): {"prompt": "hello", "options": {"num_predict": 8, "temperature": 0}},
    ("ollama", "chat"): {
        "messages": [{"role": "user", "content": "hi"}],
        "options": {"num_predict": 8, "temperature": 0},
    },
}
ROUTES = [(DIALECTS[dialect], endpoint) for dialect, endpoint in PROMPTS]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving_target(registry.find(MODEL)) as port:
        yield Client(Address(host="127.0.0.1", port=port))


def body_of(dialect: Dialect, name: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, **PROMPTS[dialect.name, name], **more}


def endpoint_of(dialect: Dialect, name: str) -> Endpoint:
    endpoint = dialect.endpoint(name)
    assert endpoint is not None
    return endpoint


def answer_of(client: Client, dialect: Dialect, name: str, **more: Any) -> Answer:
    endpoint = endpoint_of(dialect, name)
    body = body_of(dialect, name, **more)
    reply = ask(client, json_message(endpoint.path, body, dialect.headers))
    assert reply.is_success, reply.body
    if dialect.streams(endpoint, body):
        assert reply.media_type == dialect.stream_type
        return dialect.read_stream(endpoint, reply.body, body)
    return dialect.read_answer(endpoint, json.loads(reply.body))


def refusal(client: Client, dialect: Dialect, name: str, **more: Any) -> tuple[int | None, str]:
    endpoint = endpoint_of(dialect, name)
    reply = ask(client, json_message(endpoint.path, body_of(dialect, name, **more), dialect.headers))
    assert reply.status is not None
    reading = dialect.read_error(json.loads(reply.body), reply.status)
    assert reading.problems == ()
    return reply.status, reading.message


def idle(client: Client) -> dict[str, Any]:
    """The accounting once nothing is in flight any more."""
    for _ in range(200):
        found: dict[str, Any] = json.loads(ask(client, Message(method="GET", path=RESOURCES)).body)
        if not found["open_requests"] and not found["running"]:
            return found
        time.sleep(0.01)
    pytest.fail(f"requests stay open: {found}")


@pytest.mark.parametrize(("dialect", "name"), ROUTES)
def test_a_stream_says_what_the_answer_at_once_says(client: Client, dialect: Dialect, name: str) -> None:
    whole, stream = (answer_of(client, dialect, name, stream=stream) for stream in (False, True))
    assert whole.problems == stream.problems == ()
    assert whole.choices == stream.choices
    assert whole.usage is not None and whole.usage.completion == 8
    assert whole.choices[0].finish == dialect.length_finish


@pytest.mark.parametrize(("dialect", "name"), ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found_in_every_envelope(
    client: Client, dialect: Dialect, name: str, stream: bool
) -> None:
    status, message = refusal(client, dialect, name, model="nobody", stream=stream)
    assert status == 404
    assert "nobody" in message


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": 2.1},
        {"temperature": "1"},
        {"temperature": True},
        {"max_tokens": 0},
        {"max_tokens": 2**63},
        {"max_tokens": 1.5},
        {"n": 5},
        {"n": 10_000},
        {"stop": ""},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"stop": [None]},
        {"logit_bias": {"280": 1}},
        {"logit_bias": {"-1": 1}},
        {"logit_bias": {"abc": 1}},
        {"logit_bias": {"1": 101}},
        {"prompt": ""},
        {"prompt": []},
        {"prompt": ["a", 1]},
        {"prompt": [None]},
        {"prompt": [True]},
        {"prompt": [280]},
        {"prompt": [-1]},
        {"prompt": [[]]},
        {"prompt": "\ud800"},
        {"prompt": "x" * 5000},
        {"logprobs": 6},
        {"logprobs": True},
        {"echo": True, "logprobs": 1},
        {"stream_options": {"include_usage": True}},
        {"surprise": 1},
        {"model": None},
    ],
)
def test_a_completion_outside_the_domain_is_refused(client: Client, change: dict[str, Any]) -> None:
    status, _ = refusal(client, OPENAI, "completions", **change)
    assert status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"model": "reference-hash",}',
        b"\xff",
        b"[" * 100_000,
        "{}".encode("utf-16"),
    ],
)
@pytest.mark.parametrize(("dialect", "name"), ROUTES)
def test_a_body_that_is_no_object_is_refused(client: Client, dialect: Dialect, name: str, data: bytes) -> None:
    headers = (("content-type", "application/json"), *dialect.headers)
    message = Message(path=endpoint_of(dialect, name).path, headers=headers, body=(Piece(hex=data.hex()),))
    reply = ask(client, message)
    assert reply.status == 400
    assert dialect.read_error(json.loads(reply.body), 400).problems == ()
    assert len(reply.body) < 1000


def test_a_body_beyond_the_limit_is_too_large(client: Client) -> None:
    message = Message(path="/v1/completions", body=(Piece(text="x", repeat=2**20 + 1),))
    assert ask(client, message).status == 413


def test_unknown_paths_and_methods_are_answered_in_the_envelope(client: Client) -> None:
    missing = ask(client, json_message("/v1/nothing", {}))
    wrong = ask(client, Message(method="GET", path="/api/chat"))
    assert (missing.status, wrong.status) == (404, 405)
    assert OPENAI.read_error(json.loads(missing.body), 404).problems == ()
    assert OLLAMA.read_error(json.loads(wrong.body), 405).problems == ()


def test_the_anthropic_version_is_required(client: Client) -> None:
    reply = ask(client, json_message("/v1/messages", body_of(ANTHROPIC, "messages")))
    assert reply.status == 400


def test_samples_are_numbered_and_stream_alike(client: Client) -> None:
    options = {"n": 3, "temperature": 1.0, "seed": 7, "logprobs": 2}
    whole, stream = (answer_of(client, OPENAI, "completions", stream=on, **options) for on in (False, True))
    assert whole.choices == stream.choices
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert len({choice.text for choice in whole.choices}) > 1


def test_several_prompts_are_answered_in_their_order(client: Client) -> None:
    both = answer_of(client, OPENAI, "completions", prompt=["hello", "other"])
    alone = [answer_of(client, OPENAI, "completions", prompt=text) for text in ("hello", "other")]
    assert [choice.text for choice in both.choices] == [answer.choices[0].text for answer in alone]
    assert both.usage is not None and both.usage.prompt == sum(a.usage.prompt or 0 for a in alone if a.usage)


def test_token_ids_are_a_prompt(client: Client) -> None:
    answer = answer_of(client, OPENAI, "completions", prompt=[5, 6, 7])
    assert answer.usage is not None and answer.usage.prompt == 3


def test_echo_puts_the_prompt_first(client: Client) -> None:
    for stream in (False, True):
        answer = answer_of(client, OPENAI, "completions", echo=True, stream=stream)
        assert answer.choices[0].text.startswith("hello")


def test_a_stop_string_is_cut_off_and_named(client: Client) -> None:
    text = answer_of(client, ANTHROPIC, "messages").choices[0].text
    stop = text[2:4]
    answer = answer_of(client, ANTHROPIC, "messages", stop_sequences=[stop])
    assert answer.choices[0].finish == "stop_sequence"
    assert answer.choices[0].text == text[: text.index(stop)]


def test_usage_in_a_stream_comes_when_asked_for(client: Client) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = answer_of(client, OPENAI, "chat", **options)
    assert answer.problems == ()
    assert answer.usage is not None and answer.usage.completion == 8


def test_chat_logprobs_name_every_token(client: Client) -> None:
    answer = answer_of(client, OPENAI, "chat", logprobs=True, top_logprobs=3)
    assert answer.choices[0].logprobs is not None and len(answer.choices[0].logprobs) == 8


def test_embeddings_are_the_same_as_floats_and_packed(client: Client) -> None:
    endpoint = endpoint_of(OPENAI, "embeddings")
    vectors = []
    for encoding in ("float", "base64"):
        body = {"model": MODEL, "input": ["ab", "c"], "encoding_format": encoding, "dimensions": 5}
        answer = OPENAI.read_answer(endpoint, json.loads(ask(client, json_message(endpoint.path, body)).body))
        assert answer.problems == ()
        vectors.append(answer.vectors)
    assert vectors[0][0] == pytest.approx(vectors[1][0], abs=1e-6)
    assert [len(vector) for vector in vectors[0]] == [5, 5]


@pytest.mark.parametrize(("dialect", "name"), [(OPENAI, "models"), (OLLAMA, "tags")])
def test_the_model_is_listed(client: Client, dialect: Dialect, name: str) -> None:
    endpoint = endpoint_of(dialect, name)
    reply = ask(client, Message(method="GET", path=endpoint.path))
    assert dialect.read_answer(endpoint, json.loads(reply.body)).problems == ()
    assert MODEL in reply.body.decode()


def test_an_empty_ollama_prompt_loads_the_model(client: Client) -> None:
    answer = answer_of(client, OLLAMA, "generate", prompt="", stream=False)
    assert (answer.problems, answer.choices[0].finish) == ((), "load")


@pytest.mark.parametrize(("dialect", "name"), ROUTES)
@pytest.mark.parametrize("hang_up", [HangUp(after_event=0), HangUp(after_event=2), HangUp(after_byte=0)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_leaves_nothing_behind(
    client: Client, dialect: Dialect, name: str, hang_up: HangUp, stream: bool
) -> None:
    long = {"options": {"num_predict": 200}} if dialect is OLLAMA else {"max_tokens": 200}
    message = json_message(
        endpoint_of(dialect, name).path, body_of(dialect, name, stream=stream, **long), dialect.headers
    )
    send(client, Exchange(message=message, hang_up=hang_up))
    resources = idle(client)
    assert resources["free_blocks"] + resources["cached_blocks"] == resources["total_blocks"]
