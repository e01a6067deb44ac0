"""The deterministic stage deals every kind of defect on every endpoint and combinations of options, once."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from strategies.http.combinations import combined
from strategies.http.deterministic import TOGETHER, DeterministicStage, case_at, parts_of, steps
from strategies.http.space import HttpSpace
from targets.codec import encode
from targets.http.api import HttpApi
from targets.http.case import Exchange, HangUp, HttpCase, Intent
from targets.http.dialects import DIALECTS
from targets.http.dialects.model import ApiLimits

LIMITS = ApiLimits(model="m", vocab_size=280, context_length=256, bytes_per_token=6)
SPACES = {name: HttpSpace(api=HttpApi(dialect=name, limits=LIMITS)) for name in DIALECTS}


@pytest.fixture(params=sorted(SPACES), scope="module")
def space(request: pytest.FixtureRequest) -> HttpSpace:
    return SPACES[request.param]


def dealt(space: HttpSpace, seed: int) -> list[HttpCase]:
    stage, random = DeterministicStage(space), Random(seed)
    return list(iter(lambda: stage.next(random), None))


def edited(space: HttpSpace) -> list[Exchange]:
    return [one for case in dealt(space, 1) for one in case.exchanges if one.intent is not Intent.VALID]


def test_every_step_is_dealt_once(space: HttpSpace) -> None:
    whole = sorted(encode(case_at(space, step).exchanges[0]) for step in steps(space))

    assert sorted(map(encode, edited(space))) == whole


def test_steps_share_cases_and_valid_requests_have_one_of_their_own(space: HttpSpace) -> None:
    cases = dealt(space, 1)
    valid = [case for case in cases if case.exchanges[0].intent is Intent.VALID]

    assert all(len(case.exchanges) == 1 for case in valid)
    assert {case.exchanges[0].endpoint for case in valid} == {one.endpoint for one in combined(space, Random(1))}
    assert len(cases) - len(valid) == -(-len(edited(space)) // TOGETHER)


def test_the_order_depends_on_chance_alone(space: HttpSpace) -> None:
    assert dealt(space, 1) == dealt(space, 1)
    assert dealt(space, 1) != dealt(space, 2)


def test_every_endpoint_that_takes_a_body_has_its_share(space: HttpSpace) -> None:
    assert {exchange.endpoint for exchange in edited(space)} == {endpoint.name for endpoint in space.posting}


def test_most_edits_are_proven_to_be_defects(space: HttpSpace) -> None:
    intents = [exchange.intent for exchange in edited(space)]

    assert intents.count(Intent.MALFORMED) > len(intents) / 2


@pytest.mark.parametrize("name", ["json-not-utf8", "json-not-finite", "json-too-deep"])
def test_what_breaks_parsers_is_among_them(space: HttpSpace, name: str) -> None:
    assert name in {exchange.defect.name for exchange in edited(space) if exchange.defect}


def test_the_parts_of_a_shared_case_are_its_requests_one_by_one(space: HttpSpace) -> None:
    shared = next(case for case in dealt(space, 1) if len(case.exchanges) == TOGETHER)

    assert [part.exchanges for part in parts_of(shared)] == [(exchange,) for exchange in shared.exchanges]


def test_a_case_of_one_request_and_one_in_which_requests_depend_on_each_other_have_no_parts(space: HttpSpace) -> None:
    (first, *_), (second, *_) = (case.exchanges for case in dealt(space, 1)[:2])
    left = msgspec.structs.replace(first, hang_up=HangUp(after_sent=1))
    kept = msgspec.structs.replace(second, reuse=True)
    for exchanges in ((first,), (left, second), (first, kept)):
        assert list(parts_of(HttpCase(dialect=space.api.dialect, exchanges=exchanges))) == []
    together = HttpCase(dialect=space.api.dialect, exchanges=(first, second), concurrent=True)
    assert list(parts_of(together)) == []
