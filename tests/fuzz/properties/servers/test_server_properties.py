"""Each property names the fault that it is about, and says nothing about a good server.

The server is the mock server: replies are canned, and a layer in between spoils them in one way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fuzz.lab.server_lab import HttpLab
from fuzz.lab.servers import judge
from fuzz.properties.model import Verdict
from fuzz.properties.registry import properties
from strategies.http.cases import judged
from strategies.http.space import HttpSpace
from targets.contract import TargetKind
from targets.http.address import Address
from targets.http.api import HttpApi
from targets.http.case import Exchange, Framing, HangUp, HttpCase, Intent
from targets.http.client import Client
from targets.http.dialects import DIALECTS
from targets.http.dialects.model import ApiLimits, Json
from targets.http.mock import Injection, MockScript, Reply
from targets.http.mock.server import MockServer, mock_app
from targets.http.server import Server
from targets.http.wire import json_message
from targets.reference.server.run import running

TEXT = "One two three four five six seven eight nine ten."
CHAT: dict[str, Json] = {"model": "mock", "messages": [{"role": "user", "content": "hello"}], "temperature": 0}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}
ENDPOINTS = {"openai": "chat", "anthropic": "messages", "ollama": "chat"}

Spoil = Callable[[bytes], bytes]


class Spoiling:
    """Puts a function between the application and the client; it sees every part of a body, and may change statuses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.body: Spoil = lambda data: data
        self.status: Callable[[int], int] = lambda status: status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def spoiled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [header for header in message["headers"] if header[0] != b"content-length"]
                message = {**message, "status": self.status(message["status"]), "headers": headers}
            elif message["type"] == "http.response.body":
                message = {**message, "body": self.body(message.get("body", b""))}
            await send(message)

        await self._app(scope, receive, spoiled)


class Bench:
    """A mock server that can be spoiled, and labs for it."""

    def __init__(self, port: int, spoiling: Spoiling, mock: MockServer) -> None:
        self.spoiling = spoiling
        self.mock = mock
        self._port = port

    def verdict(self, dialect: str, *exchanges: Exchange, concurrent: bool = False, only: str = "") -> Verdict:
        case = HttpCase(dialect=dialect, exchanges=exchanges, concurrent=concurrent)
        chosen = [found for found in properties(TargetKind.HTTP) if only in ("", found.code)]
        return judge(self._lab(dialect), case, chosen)

    def kinds(self, dialect: str, *exchanges: Exchange, only: str = "") -> set[str]:
        return {violation.signature for violation in self.verdict(dialect, *exchanges, only=only).violations}

    def _lab(self, dialect: str) -> HttpLab:
        body, status = self.spoiling.body, self.spoiling.status
        self.spoiling.body, self.spoiling.status = lambda data: data, lambda code: code
        client = Client(Address(host="127.0.0.1", port=self._port), deadline=1.0)
        lab = HttpLab(Server(client, HttpApi(dialect=dialect, limits=LIMITS)))
        self.spoiling.body, self.spoiling.status = body, status
        return lab


LIMITS = ApiLimits(model="mock", max_samples=2)


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    mock = MockServer(MockScript(replies=(Reply(text=TEXT),)))
    with mock_app(mock) as app:
        spoiling = Spoiling(app)
        with running(spoiling) as port:
            yield Bench(port, spoiling, mock)


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shared.spoiling.body, shared.spoiling.status = lambda data: data, lambda status: status
    shared.mock.script = MockScript(replies=(Reply(text=TEXT),))
    return shared


def good(dialect: str, **more: Json) -> Exchange:
    """A valid request for four tokens of the dialect's chat."""
    body: dict[str, Json] = {**CHAT, **more}
    if dialect == "ollama":
        body["options"] = {"temperature": 0, "num_predict": 4}
        del body["temperature"]
    else:
        body.setdefault("max_tokens", 4)
    return Exchange(message=json_message(PATHS[dialect], body, DIALECTS[dialect].headers), endpoint=ENDPOINTS[dialect])


def bad(dialect: str, **more: Json) -> Exchange:
    """A malformed request of the dialect's chat."""
    space = HttpSpace(api=HttpApi(dialect=dialect, limits=LIMITS))
    found = judged(space, Exchange(message=good(dialect, **more).message, endpoint=ENDPOINTS[dialect]))
    assert found.intent is Intent.MALFORMED
    return found


def spoil_json(change: Callable[[Any], None]) -> Spoil:
    """Changes the parsed body of an answer at once that says something."""

    def spoil(data: bytes) -> bytes:
        if not data.startswith(b"{"):
            return data
        value = json.loads(data)
        change(value)
        return json.dumps(value).encode()

    return spoil


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("stream", [False, True])
def test_a_good_server_has_no_violation(bench: Bench, dialect: str, stream: bool) -> None:
    verdict = bench.verdict(dialect, good(dialect, stream=stream))
    assert verdict.violations == ()
    assert {"H1", "H2", "H3", "H5", "H9", "H17", "H21", "H29", "H31"} <= set(verdict.checked)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_good_refusal_has_no_violation(bench: Bench, dialect: str) -> None:
    verdict = bench.verdict(dialect, bad(dialect, messages=7))
    assert verdict.violations == ()
    assert {"H4", "H8", "H43"} <= set(verdict.checked)


def test_a_good_server_keeps_concurrent_requests_apart(bench: Bench) -> None:
    verdict = bench.verdict("openai", good("openai"), good("openai", stream=True), concurrent=True)
    assert verdict.violations == ()
    assert "H11" in verdict.checked


def test_what_a_stream_loses_by_itself_is_not_blamed_on_the_requests_beside_it(bench: Bench) -> None:
    bench.spoiling.body = lambda data: data.replace(b'"content":" two"', b'"content":""')
    streams = (good("openai", stream=True), good("openai", stream=True, max_tokens=3))
    verdict = bench.verdict("openai", *streams, concurrent=True, only="H11")
    assert (verdict.violations, verdict.checked) == ((), ("H11",))
    assert "H9/text-differ" in bench.kinds("openai", *streams, only="H9")


def test_a_client_that_leaves_is_no_violation(bench: Bench) -> None:
    exchange = Exchange(message=good("openai", stream=True).message, endpoint="chat", hang_up=HangUp(after_event=1))
    assert bench.verdict("openai", exchange).violations == ()


def test_a_refused_valid_request_is_named(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 422
    assert "H5/refused" in bench.kinds("openai", good("openai"), only="H5")


def test_a_server_error_on_a_valid_request_is_named(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 500
    assert bench.kinds("openai", good("openai"), only="H5") == {"H5/server-error"}


def test_an_error_in_a_stream_has_the_cause_of_the_same_error_at_once(bench: Bench) -> None:
    error = b'{"error": {"message": "the cache is full", "type": "t", "param": null, "code": null}}'
    bench.spoiling.body = lambda data: data.replace(b"[DONE]", error + b"\n\ndata: [DONE]")
    [streamed] = bench.verdict("openai", good("openai", stream=True), only="H5").violations
    bench.spoiling.status, bench.spoiling.body = lambda _: 500, lambda data: error if data else data
    [at_once] = bench.verdict("openai", good("openai"), only="H5").violations
    assert streamed.signature == "H5/error-in-stream/the-cache-is-full"
    assert streamed.cause == at_once.cause == "500 the-cache-is-full"


def test_a_body_in_chunks_may_be_refused_for_its_missing_length(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 411
    in_chunks = msgspec.structs.replace(good("openai").message, framing=Framing.CHUNKED)
    assert bench.kinds("openai", Exchange(message=in_chunks, endpoint="chat"), only="H5") == set()
    assert bench.kinds("openai", good("openai"), only="H5") != set()


def test_an_accepted_malformed_request_is_named_with_the_check_that_is_missing(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 200
    assert "H4/accepted/out-of-range" in bench.kinds("openai", bad("openai", temperature=3), only="H4")


def test_a_server_error_on_a_malformed_request_is_named_with_what_the_error_says(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 500
    assert bench.kinds("ollama", bad("ollama", messages=7), only="H4") == {"H4/server-error/messages-expected-got"}


def test_another_envelope_is_named(bench: Bench) -> None:
    bench.spoiling.body = lambda _: b'{"detail": "no"}'
    assert bench.kinds("openai", bad("openai", temperature=3), only="H4") == {"H4/envelope"}


def test_an_error_that_repeats_the_request_is_named(bench: Bench) -> None:
    exchange = bad("openai", temperature=3, user="x" * 100)

    def leak(data: bytes) -> bytes:
        [piece] = exchange.message.body
        return json.dumps({"error": {"message": piece.text, "type": "t", "param": None, "code": None}}).encode()

    bench.spoiling.body = leak
    assert bench.kinds("openai", exchange, only="H4") == {"H4/echo"}


def test_a_huge_error_is_named(bench: Bench) -> None:
    huge = {"error": {"message": "e" * 70_000, "type": "t", "param": None, "code": None}}
    bench.spoiling.body = lambda data: json.dumps(huge).encode() if data else data
    assert bench.kinds("openai", bad("openai", temperature=3), only="H4") == {"H4/too-long"}


def test_a_stack_trace_in_an_error_is_named(bench: Bench) -> None:
    bench.spoiling.body = lambda data: b'{"error": "Traceback (most recent call last): ..."}' if data else data
    assert "H8/traceback" in bench.kinds("openai", bad("openai", temperature=3), only="H8")


def test_a_number_that_json_does_not_have_is_named(bench: Bench) -> None:
    bench.spoiling.body = lambda data: data.replace(b'"index":0', b'"index":NaN')
    assert bench.kinds("openai", good("openai"), only="H10") == {"H10/non-finite"}


def test_a_connection_that_is_cut_within_the_response_is_named(bench: Bench) -> None:
    bench.mock.inject(Injection(cut_after=1))
    assert bench.kinds("openai", good("openai", stream=True), only="H1") == {"H1/truncated"}


def test_a_long_prompt_may_take_long(bench: Bench) -> None:
    bench.mock.inject(Injection(contains="never", never=True))
    assert (
        bench.kinds("openai", good("openai", messages=[{"role": "user", "content": "never" * 10_000}]), only="H2")
        == set()
    )


def test_a_server_that_never_answers_is_named(bench: Bench) -> None:
    bench.mock.inject(Injection(contains="never", never=True))
    assert bench.kinds("openai", good("openai", user="never"), only="H2") == {"H2/no-answer"}


@pytest.mark.parametrize(
    ("dialect", "old", "new", "kind"),
    [
        ("openai", b"data: [DONE]\n\n", b"", "H41/no-done"),
        ("openai", b'"role":"assistant",', b"", "H41/no-role"),
        ("openai", b'"finish_reason":"length"', b'"finish_reason":null', "H41/no-finish"),
        ("anthropic", b"event: message_stop", b"event: stop", "H41/event-name"),
        ("anthropic", b'"output_tokens":4', b'"tokens":4', "H41/no-usage"),
        ("ollama", b'"done":true', b'"done":false', "H41/no-done"),
    ],
)
def test_a_breach_of_the_stream_grammar_is_named(bench: Bench, dialect: str, old: bytes, new: bytes, kind: str) -> None:
    bench.spoiling.body = lambda data: data.replace(old, new)
    assert kind in bench.kinds(dialect, good(dialect, stream=True), only="H41")


def test_a_stream_that_says_something_else_is_named(bench: Bench) -> None:
    bench.spoiling.body = lambda data: data.replace(b'"content":" two"', b'"content":" two two"')
    assert bench.kinds("openai", good("openai"), only="H9") == {"H9/text-differ"}


def test_a_stream_with_another_usage_is_named(bench: Bench) -> None:
    bench.spoiling.body = lambda data: (
        data.replace(b'"completion_tokens":4', b'"completion_tokens":5') if data.startswith(b"data") else data
    )
    assert bench.kinds("openai", good("openai"), only="H9") == {"H9/usage-differs"}


def test_an_answer_that_changes_is_named(bench: Bench) -> None:
    count = iter(range(1000))
    bench.spoiling.body = lambda data: data.replace(b"One two", f"One {next(count)}".encode())
    assert bench.kinds("openai", good("openai"), only="H17") == {"H17/text-differ"}


def test_an_answer_that_changes_only_the_third_time_is_named(bench: Bench) -> None:
    count = iter([0, 0, 0, 1, 1, 1])
    bench.spoiling.body = lambda data: data.replace(b"One two", f"One {next(count, 1)}".encode())
    assert bench.kinds("openai", good("openai"), only="H17") == {"H17/text-differ"}


def test_null_that_is_refused_is_named(bench: Bench) -> None:
    def refuse(status: int) -> int:
        return 400 if b'"top_p": null' in bench.mock.requests[-1].body else status

    bench.spoiling.status = refuse
    assert bench.kinds("openai", good("openai"), only="H21") == {"H21/refused/top_p-null"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda found: found["usage"].update(total_tokens=1), "H29/total"),
        (lambda found: found["usage"].update(completion_tokens=9, total_tokens=15), "H29/max-tokens"),
        (lambda found: found["usage"].update(completion_tokens=3, total_tokens=9), "H29/finish-length"),
        (lambda found: found["usage"].update(prompt_tokens=0, total_tokens=4), "H29/prompt-tokens"),
        (lambda found: found["choices"].append({**found["choices"][0], "index": 1}), "H29/choice-count"),
    ],
)
def test_wrong_accounting_is_named(bench: Bench, change: Callable[[Any], None], kind: str) -> None:
    bench.spoiling.body = spoil_json(change)
    assert kind in bench.kinds("openai", good("openai"), only="H29")


def test_a_choice_with_the_tokens_of_another_is_named(bench: Bench) -> None:
    """Two choices of four tokens each; the count of all is right."""

    def move_a_token(found: Any) -> None:
        first = found["choices"][0]
        told = [{"token": "x", "logprob": -1.0, "bytes": None, "top_logprobs": []}] * 5
        shares = (told, told[:3])
        found["choices"] = [
            {**first, "index": index, "logprobs": {"content": share}} for index, share in enumerate(shares)
        ]
        found["usage"].update(completion_tokens=8, total_tokens=found["usage"]["prompt_tokens"] + 8)

    bench.spoiling.body = spoil_json(move_a_token)
    kinds = bench.kinds("openai", good("openai", n=2, temperature=1, seed=1, logprobs=True), only="H29")

    assert kinds == {"H29/max-tokens", "H29/finish-length"}


def test_a_negative_limit_of_ollamas_is_none(bench: Bench) -> None:
    body = {"model": "mock", "messages": CHAT["messages"], "stream": False, "options": {"num_predict": -1}}
    exchange = Exchange(message=json_message(PATHS["ollama"], body), endpoint="chat")
    verdict = bench.verdict("ollama", exchange, only="H29")
    assert (verdict.violations, verdict.checked) == ((), ("H29",))


def test_a_stop_string_in_the_text_is_named(bench: Bench) -> None:
    bench.spoiling.body = spoil_json(lambda found: found["choices"][0]["message"].update(content="One two three"))
    assert bench.kinds("openai", good("openai", stop=["two"]), only="H29") == {"H29/stop-in-text"}


def test_a_stop_string_without_effect_is_named(bench: Bench) -> None:
    bench.spoiling.body = spoil_json(lambda found: found["choices"][0]["message"].update(content="One two three"))
    assert "H31/stop-ignored" in bench.kinds("openai", good("openai"), only="H31")


def test_a_limit_without_effect_is_named(bench: Bench) -> None:
    bench.spoiling.body = spoil_json(lambda found: found["usage"].update(completion_tokens=4, total_tokens=10))
    assert "H31/max-tokens-ignored" in bench.kinds("openai", good("openai"), only="H31")


def test_a_server_that_changes_its_mind_is_unhealthy(bench: Bench) -> None:
    bench.spoiling.body = lambda data: data.replace(b"One two", b"Two one")
    assert bench.kinds("openai", good("openai"), only="H3") == {"H3/canary-differs"}


def test_a_server_that_fails_after_the_case_is_unhealthy(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 503
    assert bench.kinds("openai", bad("openai", temperature=3), only="H3") == {"H3/canary-fails"}


@pytest.mark.parametrize(("hang_up", "said"), [(None, "after the case"), (HangUp(after_byte=0), "after a client left")])
def test_what_is_wrong_afterwards_says_whether_a_client_left(bench: Bench, hang_up: HangUp | None, said: str) -> None:
    bench.spoiling.status = lambda _: 503
    exchange = msgspec.structs.replace(good("openai"), hang_up=hang_up)
    (violation,) = bench.verdict("openai", exchange, only="H3").violations
    assert violation.message == f"a plain request gets 503 {said}"


def test_a_refusal_that_depends_on_the_stream_is_named(bench: Bench) -> None:
    def accept(status: int) -> int:
        return 200 if b'"stream": true' in bench.mock.requests[-1].body else status

    bench.spoiling.status = accept
    assert bench.kinds("openai", bad("openai", temperature=3), only="H43") == {"H43/class-differs/out-of-range"}


def test_secrets_of_the_client_are_in_no_violation(bench: Bench) -> None:
    bench.spoiling.status = lambda _: 500
    message = json_message(PATHS["openai"], CHAT, (("authorization", "Bearer hunter2x"),))
    violations = bench.verdict("openai", Exchange(message=message, endpoint="chat"), only="H5").violations
    assert violations
    assert "hunter2x" not in str(violations)


def test_every_property_says_what_it_stems_from() -> None:
    for found in properties(TargetKind.HTTP):
        assert found.code.startswith("H") and found.sources and found.explanation, found.code
