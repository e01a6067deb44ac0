"""On a front end whose numbers move a little in company near-ties are excused; anything farther is a difference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fuzz.lab import server_lab
from fuzz.lab.server_rounding import CEILING, FLOOR, rounding_of
from fuzz.lab.servers import ServerBench
from fuzz.properties.model import Verdict
from fuzz.properties.registry import find
from targets.http.case import Exchange, HttpCase
from targets.http.locate import reference_target
from targets.http.wire import json_message
from targets.reference.model.batch import Batch, Floats
from targets.reference.model.hashing import HashModel


@dataclass
class Numbers:
    """How the logits of the front end differ from those of the hash model, whose best token leads by one."""

    scale: float = 1.0
    noise: float = 0.0
    """Farthest that a logit moves, in another way for each number of rows in a step."""
    shift: int = 0
    """Moves them in yet another way."""


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    chosen, exact = Numbers(), HashModel.forward

    def rounded(self: HashModel, batch: Batch, cache: Any, compiled: bool = False) -> Floats:
        logits = exact(self, batch, cache, compiled)
        moved = np.sin(np.arange(logits.shape[1]) * (len(logits) + chosen.shift)) * chosen.noise
        return np.asarray(logits * chosen.scale + moved, dtype=np.float32)

    monkeypatch.setattr(HashModel, "forward", rounded)
    return chosen


@contextmanager
def opened(dialect: str = "openai") -> Iterator[ServerBench]:
    bench = ServerBench(reference_target(dialect), "cpu", "float32", {})
    try:
        yield bench
    finally:
        bench.close()


def asking(**body: Any) -> Exchange:
    whole = {"model": "reference-hash", "prompt": "hi", "temperature": 0, "max_tokens": 12, **body}
    return Exchange(message=json_message("/v1/completions", whole), endpoint="completions")


def judged(code: str, *exchanges: Exchange) -> Verdict:
    with opened() as bench:
        case = HttpCase(dialect="openai", exchanges=exchanges, concurrent=len(exchanges) > 1)
        return bench.judge(case, [find(code)])


def test_an_exact_server_is_held_to_the_floor(numbers: Numbers) -> None:
    del numbers
    with opened() as bench:
        assert rounding_of(bench.server) == FLOOR


@pytest.mark.parametrize("dialect", ["anthropic", "ollama"])
def test_a_server_that_reports_no_log_probabilities_is_held_to_the_floor(numbers: Numbers, dialect: str) -> None:
    numbers.noise = 0.1
    with opened(dialect) as bench:
        assert rounding_of(bench.server) == FLOOR


def test_the_bound_is_a_few_times_what_company_moves_and_no_more_than_the_ceiling(numbers: Numbers) -> None:
    with opened() as bench:
        numbers.noise = 0.01
        assert 0.01 < rounding_of(bench.server) < 0.1
        numbers.noise = 0.1
        assert rounding_of(bench.server) == CEILING


SEVERAL = asking(prompt=["hi", "there", "you"])


def test_near_ties_in_company_are_excused_and_counted(numbers: Numbers) -> None:
    numbers.scale, numbers.noise = 0.01, 0.02
    # On a busy machine the prompts of a request may be answered one after the other, once or twice.
    found = [judged("H11", SEVERAL) for _ in range(4)]
    assert [one.violations for one in found] == [()] * len(found)
    assert any(one.excused > 0 for one in found)


def test_a_difference_counts_only_after_it_was_measured_several_times_how_the_server_rounds(
    numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers.scale, numbers.noise = 0.01, 0.02
    measured: list[float] = []
    monkeypatch.setattr(server_lab, "rounding_of", lambda _: measured.pop())
    excused = 0
    for _ in range(8):
        measured[:] = [CEILING, FLOOR, FLOOR]
        found = judged("H11", SEVERAL)
        assert found.violations == ()
        excused += found.excused
    assert excused > 0


def test_log_probabilities_that_move_as_the_server_rounds_are_excused(numbers: Numbers) -> None:
    numbers.noise = 0.02
    found = judged("H11", *[asking(prompt=text, logprobs=2) for text in ("hi", "there", "you")])
    assert found.violations == ()


@pytest.mark.usefixtures("last_prompt_wins")
def test_another_answer_is_seen_on_a_server_that_rounds(numbers: Numbers) -> None:
    numbers.noise = 0.02
    assert {one.signature for one in judged("H11", SEVERAL).violations} == {"H11/text-differ"}


def test_draws_of_a_server_that_rounds_are_not_compared_in_company(numbers: Numbers) -> None:
    numbers.noise = 0.05
    draws = [asking(prompt=text, temperature=1, seed=1, max_tokens=24) for text in ("hi", "there", "you")]
    found = judged("H11", *draws)
    assert (found.violations, found.excused) == ((), 0)
    assert found.compared < len(draws)


def test_a_canary_that_was_near_a_tie_may_change(numbers: Numbers) -> None:
    numbers.scale, numbers.noise = 0.001, 0.02
    with opened() as bench:
        numbers.shift = 5
        found = bench.judge(HttpCase(dialect="openai", exchanges=(asking(),)), [find("H3")])
    assert found.violations == ()


def test_a_canary_whose_tokens_lead_clearly_may_not(numbers: Numbers) -> None:
    with opened() as bench:
        numbers.noise, numbers.shift = 9.0, 5
        found = bench.judge(HttpCase(dialect="openai", exchanges=(asking(),)), [find("H3")])
    assert [one.signature for one in found.violations] == ["H3/canary-differs"]
