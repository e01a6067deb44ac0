"""Runs are related by margins where they are known, and by repetition where they are not."""

from __future__ import annotations

from typing import Any

from fuzz.lab.relation import relate
from fuzz.lab.tolerance import BATCH
from targets.contract import Output, Request


def crowded(base: Any, chance: Any) -> Any:
    """The executor, with another first token in a batch of two when `chance` says so of the prompt and seed."""

    class Crowded(base):  # type: ignore[misc] # a fixture has no static type
        def advance(self, request: Request, tokens: list[int]) -> Output:
            self.crowded = len(self.running) > 1 and not tokens and chance(request)
            return super().advance(request, tokens)  # type: ignore[no-any-return] # see above

        def choose(self, tokens: Any) -> int:
            return 49 if getattr(self, "crowded", False) else int(super().choose(tokens))

    return Crowded


def related(lab: Any, request: Request, together: Any) -> list[str]:
    lab.begin(together)
    pairs = [(request.id, request.id)]
    return [found.slug for found in relate(lab, "P11", lab.alone(request), lab.base, BATCH, pairs=pairs)]


def test_a_disagreement_with_a_known_wide_margin_is_a_violation(
    make_lab: Any, make_request: Any, make_trace: Any, scoring: Any
) -> None:
    lab, request = make_lab(crowded(scoring, lambda _: True)), make_request("a")

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == ["tokens-differ"]
    assert (lab.tally.compared, lab.tally.excused) == (1, 0)


def test_without_margins_a_disagreement_that_repeats_is_a_violation(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    lab, request = make_lab(crowded(toy, lambda _: True)), make_request("a")

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == ["tokens-differ"]


def test_without_margins_a_disagreement_of_these_tokens_alone_is_excused(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    request = make_request("a")
    lab = make_lab(crowded(toy, lambda found: found.prompt == request.prompt))

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == []
    assert (lab.tally.compared, lab.tally.excused) == (1, 1)


def test_a_sampled_disagreement_under_one_seed_alone_is_excused(
    make_lab: Any, make_request: Any, make_trace: Any, scoring: Any
) -> None:
    request = make_request("a", temperature=1.0, seed=3)
    lab = make_lab(crowded(scoring, lambda found: found.sampling.seed == 3))

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == []
    assert lab.tally.excused == 1


def test_a_sampled_disagreement_under_every_seed_is_a_violation(
    make_lab: Any, make_request: Any, make_trace: Any, scoring: Any
) -> None:
    request = make_request("a", temperature=1.0, seed=3)
    lab = make_lab(crowded(scoring, lambda _: True))

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == ["tokens-differ"]


def test_a_request_without_a_seed_is_not_compared(
    make_lab: Any, make_request: Any, make_trace: Any, scoring: Any
) -> None:
    request = make_request("a", temperature=1.0)
    lab = make_lab(crowded(scoring, lambda _: True))

    assert related(lab, request, make_trace(make_request("b", max_tokens=8), request)) == []
    assert lab.tally.compared == 0
