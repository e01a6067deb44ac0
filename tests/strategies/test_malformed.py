from __future__ import annotations

from random import Random

import pytest

from strategies.edge_values import DefectValues
from strategies.malformed import ALWAYS, DEFECTS, draw_defect, filled, prove
from strategies.source import RandomSource
from strategies.space import Space
from targets.codec import decode, encode
from targets.contract import Request, SamplingParams
from targets.trace import Arrival, Defect, Trace, parse_literal

REQUEST = Request(id="r0", prompt=(5, 6, 7), sampling=SamplingParams(temperature=0.0, max_tokens=4))


def values(kind: DefectValues, space: Space) -> list[Defect]:
    return [Defect(name=kind.name, field=kind.field, value=filled(text, REQUEST, space)) for text in kind.values]


@pytest.mark.parametrize("kind", DEFECTS, ids=lambda kind: kind.name)
def test_every_value_of_every_kind_is_a_proven_defect_of_an_ordinary_target(space: Space, kind: DefectValues) -> None:
    assert [defect.value for defect in values(kind, space) if not prove(REQUEST, defect, space)] == []


@pytest.mark.parametrize("kind", DEFECTS, ids=lambda kind: kind.name)
def test_a_defect_breaks_the_field_that_it_names(space: Space, kind: DefectValues) -> None:
    for defect in values(kind, space):
        assert all(breach.field.startswith(defect.field) for breach in prove(REQUEST, defect, space)), defect


@pytest.mark.parametrize("kind", DEFECTS, ids=lambda kind: kind.name)
def test_a_defect_is_still_one_after_its_trace_went_through_json(space: Space, kind: DefectValues) -> None:
    for defect in values(kind, space):
        trace = Trace(arrivals=(Arrival(request=REQUEST, defect=defect),))
        (arrival,) = decode(encode(trace), Trace).arrivals
        assert arrival.defect is not None
        assert prove(arrival.request, arrival.defect, space)


def test_the_names_of_defects_are_distinct() -> None:
    names = [kind.name for kind in DEFECTS]
    assert len(set(names)) == len(names)


def test_every_kind_of_defect_is_drawn(space: Space) -> None:
    source = RandomSource(Random(1))
    drawn = {draw_defect(source, REQUEST, space).name for _ in range(2000)}
    assert drawn == {kind.name for kind in DEFECTS}


def test_a_drawn_defect_is_proven(any_space: Space) -> None:
    source = RandomSource(Random(2))
    for _ in range(300):
        defect = draw_defect(source, REQUEST, any_space)
        assert prove(REQUEST, defect, any_space)


def test_the_fallback_is_a_defect_everywhere(any_space: Space) -> None:
    assert prove(REQUEST, ALWAYS, any_space)


def test_a_target_that_documents_a_value_as_fine_does_not_get_it_as_a_defect(space: Space) -> None:
    assert not prove(REQUEST, Defect(name="", field="sampling.temperature", value="1.5"), space)


def test_a_bad_token_lands_anywhere_in_the_prompt(space: Space) -> None:
    source = RandomSource(Random(3))
    fields = {draw_defect(source, REQUEST, space).field for _ in range(2000)}
    assert {"prompt[0]", "prompt[1]", "prompt[2]"} <= fields


def test_numbers_of_the_target_are_filled_in(space: Space) -> None:
    assert filled("($vocab, $room_plus_1)", REQUEST, space) == "(272, 254)"
    assert len(parse_literal(filled("$many_stops", REQUEST, space))) == 17


def test_an_unknown_name_in_a_dictionary_value_is_an_error(space: Space) -> None:
    with pytest.raises(KeyError, match="vocabulary"):
        filled("$vocabulary", REQUEST, space)
