from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from strategies import edge_values
from strategies.edge_values import LENGTHS, MALFORMED, SAMPLING, TEXT, TOKENS, Combination, Lengths, evaluate, read
from strategies.sampling import fill
from strategies.space import Space
from targets.domain import FLOAT_FIELDS, INTEGER_FIELDS


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), ("B", 4), ("B-1", 3), ("2B+1", 9), ("W", None), ("10B", 40)],
)
def test_an_expression_stands_for_a_number_of_the_target(value: int | str, number: int | None) -> None:
    assert evaluate(value, {"B": 4, "W": None}) == number


@pytest.mark.parametrize("text", ["", "b", "B*2", "BB", "2.5", "B-"])
def test_anything_else_is_refused_with_the_form_that_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 2B\+1"):
        evaluate(text, {"B": 4})


def test_every_group_of_values_cites_the_bugs_that_it_stems_from() -> None:
    groups = (*LENGTHS.group, *TOKENS.ids, *TOKENS.bytes, *TOKENS.collision, *SAMPLING.field, *TEXT.stop)
    assert all(group.sources for group in groups)
    assert all(combination.sources for combination in SAMPLING.combination)
    assert all(defect.sources for defect in MALFORMED.defect)


def test_every_number_of_the_sampling_parameters_has_edge_values() -> None:
    assert {group.name for group in SAMPLING.field} == {*FLOAT_FIELDS, *INTEGER_FIELDS, "logit_bias"}


def test_every_dictionary_file_is_read_by_a_strategy() -> None:
    files = {path.name for path in edge_values.folder().glob("*.toml")}
    assert files >= {"lengths.toml", "malformed.toml", "sampling.toml", "text.toml", "tokens.toml"}
    for path in edge_values.folder().glob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_damaged_dictionary_names_the_file_and_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lengths.toml").write_text("[[group]]\nvalues = [1]\nsauces = ['CACHE-01']\n")
    monkeypatch.setattr(edge_values, "folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"lengths\.toml.*sauces"):
        read("lengths.toml", Lengths)


def test_a_missing_dictionary_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_values, "folder", lambda: tmp_path)
    with pytest.raises(ValueError, match=r"lengths\.toml"):
        read("lengths.toml", Lengths)


def test_a_combination_may_name_all_tokens(space: Space) -> None:
    combination = Combination(options={"min_tokens": 2, "stop_token_ids": ["all"]}, sources=("FINITE-13",), about="")

    assert fill(combination, space)["stop_token_ids"] == tuple(range(space.limits.vocab_size))
