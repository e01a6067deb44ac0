from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from targets.reference.text.stop import StopScanner, earliest_match, held_back

PIECES = st.lists(st.text("abc", max_size=4), max_size=12)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3).map(tuple)


def scan(pieces: list[str], stops: tuple[str, ...], include: bool = False) -> tuple[list[str], str | None]:
    scanner = StopScanner(stops, include)
    shown = []
    for piece in pieces:
        shown.append(scanner.push(piece))
        if scanner.matched is not None:
            break
    shown.append(scanner.flush())
    return shown, scanner.matched


@given(PIECES, STOPS)
def test_text_before_the_first_match_is_complete_and_nothing_follows(pieces: list[str], stops: tuple[str, ...]) -> None:
    shown, matched = scan(pieces, stops)
    ends = [end for end in range(len(pieces) + 1) if any(stop in "".join(pieces[:end]) for stop in stops)]
    text = "".join(pieces[: ends[0]] if ends else pieces)
    starts = [text.index(stop) for stop in stops if stop in text]
    assert "".join(shown) == text[: min(starts, default=len(text))]
    assert (matched is None) == (not ends)


@given(PIECES, STOPS)
def test_including_the_stop_adds_exactly_the_stop(pieces: list[str], stops: tuple[str, ...]) -> None:
    without, matched = scan(pieces, stops)
    including, same = scan(pieces, stops, include=True)
    assert same == matched
    assert "".join(including) == "".join(without) + (matched or "")


def test_a_stop_inside_a_piece_is_found() -> None:
    assert scan(["xxabyy"], ("ab",)) == (["xx", ""], "ab")


def test_a_stop_across_pieces_is_found_and_its_beginning_never_shown() -> None:
    assert scan(["xa", "b", "cy"], ("abc",)) == (["x", "", "", ""], "abc")


def test_what_only_looked_like_a_stop_is_shown_later() -> None:
    assert scan(["xa", "b", "d"], ("abc",)) == (["x", "", "abd", ""], None)


def test_the_earliest_start_wins_and_the_shorter_of_equals() -> None:
    assert earliest_match("xabcd", ("cd", "bcd", "bc")) == (2, "bc")
    assert earliest_match("xyz", ("a",)) is None


def test_the_longest_possible_beginning_is_held_back() -> None:
    assert held_back("xaab", ("aabb", "bc")) == 3
    assert held_back("xyz", ("ab",)) == 0


def test_without_stops_nothing_is_held_back() -> None:
    assert scan(["ab", "c"], ()) == (["ab", "c", ""], None)
