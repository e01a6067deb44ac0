"""Offsets of tokens in a text count characters."""

from __future__ import annotations

from fuzz.properties.servers.accounting import misplaced
from targets.http.dialects.model import Choice


def choice(*offsets: int, tokens: tuple[str, ...] = ("né", "gé", "a")) -> Choice:
    return Choice(index=0, text="".join(tokens), finish="length", tokens=tokens, offsets=offsets)


def test_offsets_in_characters_are_right() -> None:
    assert misplaced(choice(0, 2, 4)) == ""


def test_offsets_behind_a_prompt_are_right() -> None:
    assert misplaced(choice(7, 9, 11)) == ""


def test_offsets_in_bytes_are_wrong() -> None:
    assert "'né' begins at 0 and the next one at 3" in misplaced(choice(0, 3, 6))


def test_tokens_that_hold_part_of_a_character_are_not_judged() -> None:
    assert misplaced(choice(0, 2, 3, tokens=("\ufffd", "\ufffd", "a"))) == ""
    assert misplaced(choice(0, 1, 1, tokens=("", "", "é"))) == ""


def test_answers_without_offsets_are_not_judged() -> None:
    assert misplaced(choice()) == ""
