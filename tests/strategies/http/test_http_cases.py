"""Valid requests are inside the documented domain; malformed ones prove their one defect from their bytes."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategies.http.breaking.editing import json_of, raw, with_json
from strategies.http.breaking.framing import break_raw
from strategies.http.breaking.pairs import PAIRS
from strategies.http.cases import (
    draw_case,
    draw_malformed,
    draw_valid,
    http_cases,
    judged,
    leaving,
    malformed_requests,
    valid_requests,
)
from strategies.http.mutate import crossover, generate, mutate
from strategies.http.shrink import holds, simplify, size
from strategies.http.space import HttpSpace
from strategies.source import RandomSource
from targets.codec import decode, encode
from targets.http.api import HttpApi
from targets.http.case import Exchange, HangUp, HttpCase, Intent
from targets.http.dialects import DIALECTS
from targets.http.dialects.fields import lookup, prompts_of
from targets.http.dialects.model import ApiLimits, Json
from targets.http.proof import prove
from targets.http.wire import bytes_of, json_message

LIMITS = ApiLimits(model="m", vocab_size=280, context_length=256, bytes_per_token=6)
SPACES = {name: HttpSpace(api=HttpApi(dialect=name, limits=LIMITS), huge_share=0.0) for name in DIALECTS}
OPENAI = SPACES["openai"]
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(params=sorted(SPACES), scope="module")
def space(request: pytest.FixtureRequest) -> HttpSpace:
    return SPACES[request.param]


@quick
@given(st.data())
def test_nothing_proves_a_valid_request_wrong(space: HttpSpace, data: st.DataObject) -> None:
    [exchange] = data.draw(valid_requests(space)).exchanges
    assert prove(exchange, space.dialect, space.api.limits) == ()


@quick
@given(st.data())
def test_a_malformed_request_proves_its_defect(space: HttpSpace, data: st.DataObject) -> None:
    [exchange] = data.draw(malformed_requests(space)).exchanges
    assert exchange.defect is not None
    assert exchange.defect.name in [found.name for found in prove(exchange, space.dialect, space.api.limits)]


@quick
@given(st.data())
def test_a_case_survives_its_json(space: HttpSpace, data: st.DataObject) -> None:
    case = data.draw(http_cases(space))
    assert decode(encode(case), HttpCase) == case


def test_many_kinds_of_defects_are_generated(space: HttpSpace) -> None:
    source = RandomSource(random.Random(7))
    found = {defect.name for _ in range(400) if (defect := draw_malformed(source, space).defect)}
    assert {"json-syntax", "json-not-finite", "json-not-utf8", "json-lone-surrogate", "http-broken"} <= found
    assert {"path-unknown", "method-wrong", "model-unknown", "model-missing"} <= found
    assert len(found) >= 25


def test_cases_of_every_kind_are_generated(space: HttpSpace) -> None:
    source = RandomSource(random.Random(3))
    cases = [draw_case(source, space) for _ in range(300)]
    assert {exchange.intent for case in cases for exchange in case.exchanges} == set(Intent)
    assert any(case.concurrent for case in cases)
    assert any(exchange.hang_up for case in cases for exchange in case.exchanges)
    assert any(exchange.reuse for case in cases for exchange in case.exchanges)


@pytest.mark.parametrize("stream", [False, True])
def test_clients_mostly_leave_while_their_answer_is_being_made(stream: bool) -> None:
    body = {"model": "m", "prompt": "x", "stream": stream}
    exchange = Exchange(message=json_message("/v1/completions", body), endpoint="completions")
    source = RandomSource(random.Random(5))
    places = [left.hang_up for _ in range(300) if (left := leaving(source, OPENAI, exchange)).hang_up]
    assert len(places) == 300
    while_made = [place for place in places if (place.after_event is not None if stream else place.after_byte == 0)]
    assert len(while_made) > 130
    assert any(place.after_sent is not None for place in places)


def test_who_will_not_wait_asks_for_all_that_fits(space: HttpSpace) -> None:
    source = RandomSource(random.Random(9))
    place = space.dialect.max_tokens_field
    drawn = [draw_valid(source, space, space.generating) for _ in range(50)]
    before = [lookup(json_of(exchange.message), place) for exchange in drawn]
    left = [leaving(source, space, exchange) for exchange in drawn]
    after = [lookup(json_of(exchange.message), place) for exchange in left]
    assert all(holds(exchange, space) for exchange in left)
    gone = [exchange for exchange in left if exchange.hang_up and exchange.hang_up.after_sent is None]
    assert not any(lookup(json_of(exchange.message), space.dialect.stop_field) for exchange in gone)
    assert sum(new > 4 * old for old, new in zip(before, after, strict=True) if old and new) > 15


def test_a_request_whose_client_leaves_is_not_made_to_run_shorter(space: HttpSpace) -> None:
    source = RandomSource(random.Random(9))
    place = space.dialect.max_tokens_field
    exchange = draw_valid(source, space, space.generating)
    gone = HttpCase(
        dialect=space.api.dialect, exchanges=(msgspec.structs.replace(exchange, hang_up=HangUp(after_byte=0)),)
    )
    asked = lookup(json_of(exchange.message), place)
    while simpler := next((one for one in simplify(gone, space) if one.exchanges[0].hang_up), None):
        gone = simpler
    assert lookup(json_of(gone.exchanges[0].message), place) >= asked


def test_requests_at_once_are_not_made_to_run_shorter(space: HttpSpace) -> None:
    source = RandomSource(random.Random(9))
    place = space.dialect.max_tokens_field
    pair = tuple(draw_valid(source, space, space.generating) for _ in range(2))
    together = HttpCase(dialect=space.api.dialect, exchanges=pair, concurrent=True)
    while simpler := next((one for one in simplify(together, space) if one.concurrent), None):
        together = simpler
    asked, left = ([lookup(json_of(one.message), place) for one in ones] for ones in (pair, together.exchanges))
    assert all(new >= old for old, new in zip(asked, left, strict=True))


def test_the_first_of_requests_at_once_often_runs_long(space: HttpSpace) -> None:
    source = RandomSource(random.Random(3))
    cases = [case for _ in range(400) if (case := draw_case(source, space)).concurrent]
    lengths = [lookup(json_of(case.exchanges[0].message), space.dialect.max_tokens_field) for case in cases]
    assert 0.2 < sum(length is not None and length > 30 for length in lengths) / len(cases) < 0.8


def test_equal_seeds_give_equal_cases(space: HttpSpace) -> None:
    assert generate(random.Random(5), space) == generate(random.Random(5), space)


def test_mutation_and_crossover_keep_every_proof(space: HttpSpace) -> None:
    generator = random.Random(11)
    case = other = generate(generator, space)
    for _ in range(60):
        case = mutate(case, generator, space)
        case = crossover(case, other, generator, space) if generator.random() < 0.3 else case
        other = generate(generator, space) if generator.random() < 0.2 else other
        assert all(holds(exchange, space) for exchange in case.exchanges), case
        assert decode(encode(case), HttpCase) == case


def test_a_mutation_may_put_a_valid_request_in_the_place_of_another(space: HttpSpace) -> None:
    generator = random.Random(5)
    broken = next(case for case in iter(lambda: generate(generator, space), None) if not valid_in(case))
    assert any(valid_in(mutate(broken, generator, space)) for _ in range(50))


def valid_in(case: HttpCase) -> bool:
    return any(exchange.intent is Intent.VALID for exchange in case.exchanges)


def test_every_simpler_case_is_smaller_and_means_the_same(space: HttpSpace) -> None:
    generator = random.Random(13)
    for _ in range(8):
        case = generate(generator, space)
        for simpler in simplify(case, space):
            assert size(simpler, space) < size(case, space)
            assert all(holds(exchange, space) for exchange in simpler.exchanges)


def test_simplifying_ends_at_the_defect_alone() -> None:
    space = SPACES["openai"]
    body = {"model": "m", "prompt": "a long prompt", "temperature": -1, "max_tokens": 5, "top_p": 0.5, "stream": True}
    case = HttpCase(
        dialect="openai",
        exchanges=(judged(space, Exchange(message=json_message("/v1/completions", body), endpoint="completions")),) * 2,
    )
    while simpler := next(simplify(case, space), None):
        case = simpler
    [exchange] = case.exchanges
    assert exchange.defect is not None and exchange.defect.name == "temperature-too-small"
    # Required fields stay: without them the request would have a second defect, which could be the cause instead.
    assert json_of(exchange.message) == {"model": "m", "prompt": "a", "temperature": -1}


def _valid(**body: Json) -> Exchange:
    message = json_message("/v1/completions", {"model": "m", "prompt": "abc", "max_tokens": 5, **body})
    return Exchange(message=message, endpoint="completions")


def _temperatures(case: HttpCase) -> list[Json]:
    return [(json_of(exchange.message) or {}).get("temperature") for exchange in case.exchanges]


@pytest.mark.parametrize("drawing", [{}, {"temperature": 0.5}])
def test_requests_at_once_are_made_greedy_since_a_draw_may_end_before_another_comes(drawing: dict[str, Json]) -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(**drawing), _valid(temperature=0)), concurrent=True)
    assert [0, 0] in [_temperatures(simpler) for simpler in simplify(case, OPENAI)]


@pytest.mark.parametrize("steady", [{"temperature": 0}, {"temperature": 1, "seed": 1}])
def test_requests_at_once_stay_repeatable(steady: dict[str, Json]) -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(max_tokens=64, **steady),) * 2, concurrent=True)
    at_once = [simpler for simpler in simplify(case, OPENAI) if simpler.concurrent]
    assert at_once
    assert all(size(simpler, OPENAI)[1] == 0 for simpler in at_once)


def test_requests_at_once_are_made_to_last_so_that_they_meet() -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(temperature=0, stop="x"), _valid()), concurrent=True)
    while simpler := next((one for one in simplify(case, OPENAI) if one.concurrent), None):
        case = simpler
    bodies = [json_of(exchange.message) for exchange in case.exchanges]
    assert bodies == [{"model": "m", "prompt": "a", "max_tokens": 64, "temperature": 0}] * 2


def test_of_requests_at_once_one_that_needs_its_stop_string_is_made_to_last_all_the_same() -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(temperature=0, stop="x"), _valid()), concurrent=True)
    bodies = [json_of(simpler.exchanges[0].message) or {} for simpler in simplify(case, OPENAI)]
    assert ("x", 64) in [(body.get("stop"), body["max_tokens"]) for body in bodies]


def test_the_prompts_of_one_request_are_made_to_meet() -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(prompt=["a", "b"]),))
    while simpler := next(
        (one for one in simplify(case, OPENAI) if prompts_of(json_of(one.exchanges[0].message) or {})), None
    ):
        case = simpler
    body = {"model": "m", "prompt": ["a", "b"], "max_tokens": 64, "temperature": 0}
    assert json_of(case.exchanges[0].message) == body


def test_a_client_is_made_to_leave_sooner() -> None:
    leaving = msgspec.structs.replace(_valid(stream=True), hang_up=HangUp(after_event=6))
    sooner = [one.exchanges[0].hang_up for one in simplify(HttpCase(dialect="openai", exchanges=(leaving,)), OPENAI)]
    assert HangUp(after_event=0) in sooner


def test_a_request_by_itself_need_not_be_repeatable() -> None:
    case = HttpCase(dialect="openai", exchanges=(_valid(temperature=0),))
    assert [None] in [_temperatures(simpler) for simpler in simplify(case, OPENAI)]


def test_a_lenient_family_makes_a_defect_undecided() -> None:
    exchange = Exchange(
        message=json_message("/v1/completions", {"model": "m", "prompt": "x", "stop": ""}), endpoint="completions"
    )
    lenient = HttpSpace(api=HttpApi(dialect="openai", family="llama.cpp", limits=LIMITS))
    assert judged(SPACES["openai"], exchange).intent is Intent.MALFORMED
    assert judged(lenient, exchange).intent is Intent.EITHER


def test_raw_values_go_out_as_they_are() -> None:
    exchange = Exchange(message=json_message("/", {}))
    changed = with_json(exchange, {"a": raw("1e400"), "b": [raw('"\\ud800"'), "é"]})
    assert bytes_of(changed.message.body).decode() == '{"a": 1e400, "b": ["\\ud800", "é"]}'


def test_a_request_whose_bytes_were_broken_can_be_broken_again() -> None:
    source = RandomSource(random.Random(4))
    for _ in range(100):
        exchange = Exchange(message=json_message("/v1/completions", {}))
        for _ in range(3):
            exchange = break_raw(source, OPENAI, exchange)
        assert exchange.message.raw


def test_pairs_name_the_bugs_they_stem_from() -> None:
    assert all(pair.sources and len(pair.fields(LIMITS)) == 2 for pair in PAIRS)


def test_some_answers_may_go_on_to_the_end_of_the_context() -> None:
    found = [
        json_of(draw_valid(RandomSource(random.Random(seed)), OPENAI, OPENAI.generating).message) for seed in range(400)
    ]
    without = [body for body in found if body and "messages" in body and "max_tokens" not in body]

    assert without
    assert all(LIMITS.context_length and len(str(body["messages"])) > LIMITS.context_length / 2 for body in without)


def test_nobody_asks_for_the_whole_of_a_context_that_is_not_known() -> None:
    unknown = HttpSpace(api=HttpApi(dialect="openai", limits=ApiLimits(model="m")))

    for seed in range(200):
        body = json_of(draw_valid(RandomSource(random.Random(seed)), unknown, unknown.generating).message)
        assert body and "max_tokens" in body


def test_half_of_the_requests_for_embeddings_have_several_inputs() -> None:
    (endpoint,) = (one for one in OPENAI.endpoints if one.name == "embeddings")
    bodies = [
        json_of(draw_valid(RandomSource(random.Random(seed)), OPENAI, (endpoint,)).message) for seed in range(200)
    ]
    inputs = [body["input"] for body in bodies if body]
    several = [one for one in inputs if isinstance(one, list) and not isinstance(one[0], int)]
    assert 80 < len(several) < 160
