"""Both models, loaded once, and a way to run requests to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from targets.contract import Executor, Output, Request
from targets.reference import DECODER, HASH
from targets.reference.model.batch import LanguageModel

Events = dict[tuple[str, int], list[Output]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def decoder() -> LanguageModel:
    model: LanguageModel = DECODER.load("cpu", "float32")
    return model


@pytest.fixture(scope="session")
def hash_model() -> LanguageModel:
    model: LanguageModel = HASH.load("cpu", "float32")
    return model


@pytest.fixture(scope="session")
def drain() -> Callable[[Executor], Events]:
    """Step until idle; events by request and sample."""

    def drain_executor(executor: Executor) -> Events:
        events: Events = {}
        while out := executor.step():
            for event in out:
                events.setdefault((event.request_id, event.index), []).append(event)
        return events

    return drain_executor


@pytest.fixture(scope="session")
def play(drain: Callable[[Executor], Events]) -> Callable[..., Events]:
    """Submit requests together and run them to their end."""

    def play_requests(executor: Executor, *requests: Request) -> Events:
        for request in requests:
            executor.submit(request)
        return drain(executor)

    return play_requests
