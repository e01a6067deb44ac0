"""Graph configs as YAML and JSON text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from strategies.graphs import GraphSpace, generate_graph_case
from targets.errors import UsageError
from targets.graph.document import (
    MAX_BYTES,
    DocumentError,
    load_config,
    parse_json,
    parse_yaml,
    to_json,
    to_yaml,
)
from targets.graph.validate import decode_config

SMALL = """
nodes:
  - {id: in, config: {type: entry}}
  - {id: ask, config: {type: model, writes: answer, reads: [message]}, retries: 2}
  - {id: out, config: {type: exit, reads: answer}}
edges:
  - {source: in, target: ask}
  - {source: ask, target: out, condition: "answer != ''", weight: 2}
entry: [in]
exits: [out]
state: {answer: {initial: ""}}
"""


@pytest.mark.parametrize("seed", range(40))
def test_a_generated_config_survives_yaml_and_json(seed: int) -> None:
    config = generate_graph_case(random.Random(seed), GraphSpace()).config
    assert decode_config(parse_yaml(to_yaml(config))) == config
    assert decode_config(parse_json(to_json(config))) == config


def test_yaml_and_json_of_one_config_are_the_same_document() -> None:
    config = decode_config(parse_yaml(SMALL))
    assert parse_yaml(to_yaml(config)) == parse_json(to_json(config))


def test_yaml_reads_words_as_json_does() -> None:
    text = "a: yes\nb: 1:30\nc: 2001-01-01\nd: ~\ne: 'true'\nf: true\ng: 1.5\nh: 012"
    assert parse_yaml(text) == {
        "a": "yes",
        "b": "1:30",
        "c": "2001-01-01",
        "d": None,
        "e": "true",
        "f": True,
        "g": 1.5,
        "h": 12,
    }


def test_a_yaml_bomb_is_refused_at_its_first_anchor() -> None:
    levels = "\n".join(
        f"{chr(98 + level)}: &{chr(98 + level)} [*{chr(97 + level)}, *{chr(97 + level)}]" for level in range(20)
    )
    with pytest.raises(DocumentError, match=r"anchors and aliases are not allowed: 'a' at line 1, column 4"):
        parse_yaml(f"a: &a [x, x]\n{levels}\n")


def test_a_ten_megabyte_text_is_refused_by_its_length_alone() -> None:
    for parse in (parse_yaml, parse_json):
        with pytest.raises(DocumentError, match=f"longer than {MAX_BYTES} bytes"):
            parse("x" * 10_000_000)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 200 + "]" * 200, "- " * 300 + "x"])
def test_deep_yaml_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="deeper than 100 levels"):
        parse_yaml(text)


def test_deep_json_is_refused() -> None:
    with pytest.raises(DocumentError, match="nested deeper"):
        parse_json("[" * 500_000)


def test_many_items_are_refused() -> None:
    with pytest.raises(DocumentError, match=r"more than 200000 items at line 1"):
        parse_yaml("[" + "1," * 250_000 + "]")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the YAML is empty"),
        ("a: 1\na: 2", "'a' occurs twice at line 2, column 1"),
        ("a: 1\n---\nb: 2", "more than one document at line 2"),
        ("a: !!python/object:os.system x", "tags are not allowed"),
        ("a: [1", "not valid YAML: .* at line"),
        ("a: .nan", "the number '.nan' is not finite at line 1, column 4"),
        ("? [a]\n: 1", "a key must be a text at line 1"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_a_refusal_of_yaml_names_the_place(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        parse_yaml(text)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "{", b"\xff\xfe{}", '{"a": 1' + "0" * 5000 + "}"])
def test_json_outside_the_rules_is_refused(text: str | bytes) -> None:
    with pytest.raises(DocumentError, match="not valid JSON"):
        parse_json(text)


def test_a_file_error_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(SMALL.replace("target: out", "target: outt"))
    with pytest.raises(UsageError, match=r"graph.yaml: edges\[1\]\.target = 'outt' is refused: .*Did you mean 'out'"):
        load_config(path)


def test_a_file_is_read_by_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(SMALL)
    config = load_config(path)
    (tmp_path / "graph.json").write_text(to_json(config))
    assert load_config(tmp_path / "graph.json") == config
    with pytest.raises(UsageError, match=r"\.yaml, \.yml or \.json"):
        load_config(tmp_path / "graph.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        load_config(tmp_path / "absent.json")
