"""Where two answers part, and by how much the token led there, as far as log-probabilities tell."""

from __future__ import annotations

import msgspec
import pytest

from fuzz.lab.server_rounding import FLOOR, is_tie, lead_where_they_part, least_of
from targets.http.dialects.model import Choice


def saying(text: str, *, tokens: tuple[str, ...] | None = None) -> Choice:
    return Choice(index=0, text=text, finish="length", tokens=tokens)


SCORED = Choice(
    index=0,
    text="one two ten",
    finish="length",
    tokens=("one", " two", " ten"),
    logprobs=(-0.5, -0.25, -1.0),
    runners_up=(-1.5, -0.75, -1.125),
)


@pytest.mark.parametrize(
    ("other", "lead"),
    [
        pytest.param("a two ten", 1.0, id="in-the-first-token"),
        pytest.param("one six ten", 0.5, id="in-the-second"),
        pytest.param("one two-fold", 0.125, id="in-the-third-behind-a-whole-second"),
        pytest.param("one two ten six", None, id="behind-them-all"),
    ],
)
def test_the_token_where_they_part_counts_and_one_that_ends_there(other: str, lead: float | None) -> None:
    assert lead_where_they_part(SCORED, saying("one two ten"), saying(other)) == lead


def test_equal_texts_part_where_their_tokens_do() -> None:
    one, other = (saying("one two ten", tokens=tokens) for tokens in (SCORED.tokens, ("one", " t", "wo", " ten")))
    assert lead_where_they_part(SCORED, one, other) == 0.5


def test_nothing_is_known_if_asking_for_the_scores_changes_the_answer() -> None:
    assert lead_where_they_part(SCORED, saying("one six ten"), saying("a two ten")) is None


SPLIT = Choice(
    index=0,
    text="a é!",
    finish="length",
    tokens=("a", " ", "\ufffd", "\ufffd", "!"),
    logprobs=(-0.5, -0.5, -0.5, -0.5, -0.5),
    runners_up=(-8.5, -4.5, -2.5, -1.5, -9.5),
)
"""Two tokens make the third character."""


@pytest.mark.parametrize(("other", "lead"), [("b é!", 8.0), ("a e!", None), ("a é?", None)])
def test_without_offsets_nothing_is_known_from_where_several_tokens_make_one_character(
    other: str, lead: float | None
) -> None:
    assert lead_where_they_part(SPLIT, saying("a é!"), saying(other)) == lead


@pytest.mark.parametrize(("other", "lead"), [("b é!", 8.0), ("a e!", 1.0), ("a é?", 1.0)])
def test_by_offsets_all_tokens_of_the_character_count(other: str, lead: float) -> None:
    scored = msgspec.structs.replace(SPLIT, offsets=(7, 8, 9, 9, 10))
    assert lead_where_they_part(scored, saying("a é!"), saying(other)) == lead


def test_offsets_that_count_names_of_tokens_are_not_used() -> None:
    named = msgspec.structs.replace(
        SPLIT, tokens=("a", " ", "token_id:195", "token_id:169", "!"), offsets=(0, 1, 2, 14, 26)
    )
    assert lead_where_they_part(named, saying("a é!"), saying("b é!")) == 8.0
    assert lead_where_they_part(named, saying("a é!"), saying("a é?")) is None


def test_an_answer_cut_at_a_stop_string_has_its_tokens_whole() -> None:
    cut = msgspec.structs.replace(SCORED, text="one two t")
    assert lead_where_they_part(cut, saying("one two t"), saying("one six t")) == 0.5


def test_nothing_is_known_without_a_second_candidate() -> None:
    alone = Choice(index=0, text="one", finish="length", tokens=("one",), logprobs=(-0.5,))
    assert lead_where_they_part(alone, saying("one"), saying("a")) is None


def test_nothing_is_known_where_another_token_led() -> None:
    assert least_of((1.0, -0.5)) is None
    assert least_of((1.0, 0.5)) == 0.5
    assert least_of((1.0, None)) is None


def test_a_tie_lies_within_twice_the_bound() -> None:
    assert is_tie(0.2, 0.1)
    assert not is_tie(0.21, 0.1)


def test_an_unknown_lead_is_a_tie_only_on_a_server_that_rounds() -> None:
    assert is_tie(None, 0.1)
    assert not is_tie(None, FLOOR)
