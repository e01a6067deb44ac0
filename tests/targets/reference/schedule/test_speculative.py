from __future__ import annotations

from targets.reference.schedule.speculative import draft


def test_a_draft_repeats_what_followed_the_last_token() -> None:
    assert draft([1, 2, 3, 4, 9, 3], 3) == [4, 9, 3]


def test_the_most_recent_occurrence_counts() -> None:
    assert draft([5, 1, 5, 2, 5], 1) == [2]


def test_a_draft_has_the_length_asked_for_even_without_a_match() -> None:
    assert draft([1, 2, 3], 4) == [3, 3, 3, 3]
    assert draft([7], 2) == [7, 7]
    assert draft([1, 2, 1], 4) == [2, 1, 2, 1]


def test_no_room_is_no_draft() -> None:
    assert draft([5, 1, 5], 0) == []
