"""The deterministic stage deals every kind of defect on every endpoint, once."""

from __future__ import annotations

from random import Random

import pytest

from strategies.http.deterministic import DeterministicStage, case_at, steps
from strategies.http.space import HttpSpace
from targets.codec import encode
from targets.http.api import HttpApi
from targets.http.case import HttpCase, Intent
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


def test_every_step_is_dealt_once(space: HttpSpace) -> None:
    whole = sorted(encode(case_at(space, step)) for step in steps(space))

    assert sorted(map(encode, dealt(space, 1))) == whole


def test_the_order_depends_on_chance_alone(space: HttpSpace) -> None:
    assert dealt(space, 1) == dealt(space, 1)
    assert dealt(space, 1) != dealt(space, 2)


def test_every_endpoint_that_takes_a_body_has_its_share(space: HttpSpace) -> None:
    assert {case.exchanges[0].endpoint for case in dealt(space, 1)} == {endpoint.name for endpoint in space.posting}


def test_no_case_claims_to_be_valid_and_most_are_proven_malformed(space: HttpSpace) -> None:
    intents = [case.exchanges[0].intent for case in dealt(space, 1)]

    assert Intent.VALID not in intents
    assert intents.count(Intent.MALFORMED) > len(intents) / 2


@pytest.mark.parametrize("name", ["json-not-utf8", "json-not-finite", "json-too-deep"])
def test_what_breaks_parsers_is_among_them(space: HttpSpace, name: str) -> None:
    assert name in {case.exchanges[0].defect.name for case in dealt(space, 1) if case.exchanges[0].defect}
