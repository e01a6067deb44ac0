"""An engine that has only `generate(batch)`, in the shape of the contract."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from targets.batch_adapter import BatchExecutor, Completion, IncompleteBatch
from targets.contract import Executor, FinishReason, Limits, Output, Request, RequestRejected, SamplingParams
from targets.domain import DEFAULT_DOMAIN

LIMITS = Limits(vocab_size=10, context_length=20, max_samples=4)


class Echo:
    """Completes every request with its own prompt, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, requests: Sequence[Request]) -> list[Completion]:
        self.batches.append([request.id for request in requests])
        return [
            Completion(request.id, request.prompt, f"text of {request.id}", FinishReason.LENGTH, index)
            for request in requests
            for index in range(request.sampling.n)
        ]


def request(name: str, *prompt: int, **sampling: object) -> Request:
    return Request(id=name, prompt=prompt or (1, 2), sampling=SamplingParams(**sampling))  # type: ignore[arg-type]


def executor(engine: object, **options: object) -> BatchExecutor:
    return BatchExecutor(engine, domain=DEFAULT_DOMAIN, limits=LIMITS, **options)  # type: ignore[arg-type]


def run(adapted: BatchExecutor) -> list[Output]:
    events: list[Output] = []
    while step := adapted.step():
        events += step
    return events


def test_it_is_an_executor() -> None:
    assert isinstance(executor(Echo()), Executor)


def test_every_token_is_an_event_and_the_last_one_carries_text_reason_and_usage() -> None:
    adapted = executor(Echo())
    adapted.submit(request("a", 4, 5, 6))
    first, second, last = run(adapted)
    assert [first.token_id, second.token_id, last.token_id] == [4, 5, 6]
    assert (first.text, first.finish_reason, first.usage) == ("", None, None)
    assert (last.text, last.finish_reason) == ("text of a", FinishReason.LENGTH)
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (3, 3)


def test_an_idle_executor_answers_with_nothing_and_asks_the_engine_for_nothing() -> None:
    engine = Echo()
    assert executor(engine).step() == []
    assert engine.batches == []


def test_a_batch_holds_the_oldest_requests_up_to_its_limit() -> None:
    engine = Echo()
    adapted = executor(engine, max_batch=2)
    for name in "abc":
        adapted.submit(request(name))
    run(adapted)
    assert engine.batches == [["a", "b"], ["c"]]


def test_requests_of_different_groups_never_share_a_batch() -> None:
    engine = Echo()
    adapted = executor(engine, group=lambda asked: asked.sampling.top_k)
    for name, top_k in (("a", 1), ("b", 2), ("c", 1), ("d", 2)):
        adapted.submit(request(name, top_k=top_k))
    run(adapted)
    assert engine.batches == [["a", "c"], ["b", "d"]]


def test_an_aborted_request_never_reaches_the_engine_and_ends_each_sample_once() -> None:
    engine = Echo()
    adapted = executor(engine)
    adapted.submit(request("a", n=2))
    adapted.abort("a")
    adapted.abort("a")
    events = run(adapted)
    assert engine.batches == []
    assert [(event.index, event.finish_reason) for event in events] == [
        (0, FinishReason.ABORT),
        (1, FinishReason.ABORT),
    ]


def test_aborting_an_unknown_request_does_nothing() -> None:
    adapted = executor(Echo())
    adapted.abort("nobody")
    assert adapted.step() == []


def test_an_id_is_in_use_until_its_last_event() -> None:
    adapted = executor(Echo())
    adapted.submit(request("a"))
    with pytest.raises(RequestRejected, match="id = 'a'"):
        adapted.submit(request("a"))
    run(adapted)
    adapted.submit(request("a"))


def test_an_aborted_id_is_in_use_until_its_abort_event() -> None:
    adapted = executor(Echo())
    adapted.submit(request("a"))
    adapted.abort("a")
    with pytest.raises(RequestRejected):
        adapted.submit(request("a"))
    adapted.step()
    adapted.submit(request("a"))


def test_a_request_outside_the_domain_is_rejected_and_not_queued() -> None:
    adapted = executor(Echo())
    with pytest.raises(RequestRejected, match=r"prompt\[0\] = 10"):
        adapted.submit(request("a", 10))
    assert adapted.step() == []


def test_a_completion_without_tokens_is_one_event() -> None:
    adapted = executor(lambda _: [Completion("a", (), "", FinishReason.STOP)])
    adapted.submit(request("a"))
    (event,) = run(adapted)
    assert (event.token_id, event.finish_reason) == (None, FinishReason.STOP)


def test_an_engine_error_leaves_the_step_and_spares_the_requests_of_other_batches() -> None:
    def fails_on_a(requests: Sequence[Request]) -> list[Completion]:
        if requests[0].id == "a":
            raise ValueError("out of luck")
        return Echo()(requests)

    adapted = executor(fails_on_a, max_batch=1)
    adapted.submit(request("a"))
    adapted.submit(request("b"))
    with pytest.raises(ValueError, match="out of luck"):
        adapted.step()
    assert {event.request_id for event in run(adapted)} == {"b"}


def test_a_sample_that_the_engine_leaves_out_is_the_engines_error() -> None:
    adapted = executor(lambda _: [Completion("a", (1,), "", FinishReason.STOP)])
    adapted.submit(request("a", n=2))
    with pytest.raises(IncompleteBatch, match="no completion for sample 1 of request 'a'"):
        adapted.step()


def test_a_sample_that_nobody_asked_for_is_the_engines_error() -> None:
    def twice(requests: Sequence[Request]) -> list[Completion]:
        return [*Echo()(requests), *Echo()(requests)]

    adapted = executor(twice)
    adapted.submit(request("a"))
    with pytest.raises(IncompleteBatch, match="sample 0 of request 'a' that was not asked for"):
        adapted.step()


def test_closing_forgets_what_is_queued() -> None:
    engine = Echo()
    adapted = executor(engine)
    adapted.submit(request("a"))
    adapted.close()
    assert adapted.step() == []
    assert engine.batches == []
