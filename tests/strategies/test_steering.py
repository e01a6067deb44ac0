"""Biases for constrained requests."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from fuzz.lab.json_schema import accepts, written
from strategies.schemas import draw_schema
from strategies.source import RandomSource
from strategies.space import Space, space_of
from strategies.steering import END, draw_document, draw_steering
from targets.contract import Bound, Request, SamplingParams
from targets.domain import breaches
from targets.reference import HASH
from targets.reference.text.tokenizer import EOS, encode

SPACE = space_of(HASH)


def test_a_drawn_document_fits_its_schema() -> None:
    source = RandomSource(Random(1))
    for _ in range(200):
        schema = draw_schema(source)
        assert accepts(schema, written(draw_document(source, schema)))


def test_steering_lies_in_the_documented_domain() -> None:
    source = RandomSource(Random(2))
    for _ in range(100):
        schema = draw_schema(source)
        bias = draw_steering(source, SPACE, schema)
        sampling = SamplingParams(json_schema=schema, logit_bias=bias)
        assert bias
        assert not breaches(Request(id="r", prompt=(1,), sampling=sampling), SPACE.domain, SPACE.limits)


@pytest.mark.parametrize("token", [EOS, *encode("t"), *encode("f"), *encode(",")])
def test_steering_goes_for_the_end_for_each_branch_and_for_what_is_too_much(token: int) -> None:
    source = RandomSource(Random(3))
    strongest = {max(bias, key=bias.__getitem__) for bias in drawn(source, SPACE)}
    assert token in strongest


def test_no_steering_without_bytes_or_beyond_the_documented_bound() -> None:
    narrow = msgspec.structs.replace(SPACE.domain, bounds={"logit_bias": Bound(minimum=-1.0, maximum=max(END) - 1)})
    wordy = msgspec.structs.replace(SPACE.limits, vocab_size=100)
    source = RandomSource(Random(4))
    assert drawn(source, Space(limits=SPACE.limits, domain=narrow)) == [{}] * 40
    assert drawn(source, Space(limits=wordy, domain=SPACE.domain)) == [{}] * 40


def drawn(source: RandomSource, space: Space) -> list[dict[int, float]]:
    return [draw_steering(source, space, {"type": "boolean"}) for _ in range(40)]
