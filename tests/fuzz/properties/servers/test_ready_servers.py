"""Servers of others as ready targets: started, judged, and kept while workers come and go."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from fuzz.campaign.harness import ContainedHarness
from fuzz.campaign.spaces import space_for
from fuzz.contain.outcome import Fate
from fuzz.engines.model import Trial
from targets import registry
from targets.errors import UsageError
from targets.http.case import Exchange, HttpCase, HttpDefect, Intent
from targets.http.dialects.model import Json
from targets.http.wire import json_message

pytestmark = pytest.mark.slow
SERVERS = ("transformers-serve", "llama-cpp-serve", "mlx-lm-serve")
BROKEN = ("H1", "H2", "H3", "H12")
"""Properties that tell of a server that does not answer, or is not well afterwards."""
SERVED = (*BROKEN, "H5", "H10")
"""Properties that a plain request breaks on none of them."""


@pytest.fixture(scope="module", params=SERVERS)
def harness(request: pytest.FixtureRequest) -> Iterator[ContainedHarness]:
    try:
        registry.find(request.param)
    except UsageError as error:
        pytest.skip(str(error))
    with ContainedHarness(request.param, "cpu", "float32", seed=1) as made:
        yield made


def case(harness: ContainedHarness, defect: HttpDefect | None = None, **fields: Json) -> HttpCase:
    assert harness.target.api is not None
    body = {"model": harness.target.api.limits.model, "prompt": "hello", "max_tokens": 4, "temperature": 0, **fields}
    exchange = Exchange(
        message=json_message("/v1/completions", body),
        endpoint="completions",
        intent=Intent.MALFORMED if defect else Intent.VALID,
        defect=defect,
    )
    return HttpCase(dialect="openai", exchanges=(exchange,))


def signatures(trial: Trial) -> set[str]:
    assert trial.verdict is not None
    return {violation.signature for violation in trial.verdict.violations}


def codes(trial: Trial) -> set[str]:
    return {signature.partition("/")[0] for signature in signatures(trial)}


def test_a_plain_request_is_served(harness: ContainedHarness) -> None:
    trial = harness.judge(case(harness), None)
    assert codes(trial).isdisjoint(SERVED)
    assert trial.verdict is not None and {"H1", "H3", "H5", "H12", "H29"} <= set(trial.verdict.checked)


def test_a_malformed_request_is_judged(harness: ContainedHarness) -> None:
    trial = harness.judge(case(harness, HttpDefect(name="prompt-missing", place="prompt"), prompt=None), None)
    assert trial.verdict is not None and {"H4", "H8"} <= set(trial.verdict.checked)


def test_cases_of_its_own_space_leave_it_well(harness: ContainedHarness) -> None:
    space = space_for(harness.target, (), harness.description.schema)
    generator = random.Random(1)
    for _ in range(12):
        trial = harness.run(space.generate(generator))
        assert trial.outcome.fate is Fate.COMPLETED
        assert codes(trial).isdisjoint(BROKEN)


def test_it_outlives_workers(harness: ContainedHarness) -> None:
    for _ in range(2):
        assert codes(harness.judge(case(harness), ("H3",))).isdisjoint(BROKEN)
        harness.renew()
    assert harness.restarts == 0


def test_transformers_serve_answers_a_plain_request_as_every_property_wants() -> None:
    pytest.importorskip("fastapi")
    with ContainedHarness("transformers-serve", "cpu", "float32", seed=1) as harness:
        assert signatures(harness.judge(case(harness), None)) == set()
