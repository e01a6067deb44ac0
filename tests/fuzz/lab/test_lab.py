"""The lab runs what it is asked for, once a case."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.lab.features import BUCKETS, features
from targets.errors import UsageError


def test_the_same_run_is_made_once_a_case(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab, trace = make_lab(), make_trace(make_request())
    lab.begin(trace)

    assert lab.record(trace) is lab.base
    assert lab.record(trace, chunk_size=1) is not lab.base
    assert len(lab.recordings) == 2
    lab.begin(trace)
    assert lab.recordings == ()


def test_a_repeat_is_another_run_of_the_same_trace(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    lab.begin(make_trace(make_request()))

    again = lab.repeat(lab.base)

    assert again is not lab.base
    assert again == lab.base


def test_a_target_that_cannot_be_opened_is_a_failure_of_the_run(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    opened: list[int] = []

    class Fragile(toy):  # type: ignore[misc] # a fixture has no static type
        def __init__(self) -> None:
            opened.append(1)
            if len(opened) > 1:
                raise OSError("no device")
            super().__init__()

    lab = make_lab(Fragile)
    lab.begin(make_trace(make_request()))

    assert lab.base.failure is not None
    assert (lab.base.failure.call, lab.base.failure.error_type) == ("open", "OSError")


def test_scores_of_a_target_without_logits_are_unknown(make_lab: Any) -> None:
    assert make_lab().scores((1, 2)) is None


def test_an_exception_while_scoring_is_kept(make_lab: Any, scoring: Any) -> None:
    class Broken(scoring):  # type: ignore[misc] # a fixture has no static type
        def logits(self, token_ids: Any) -> Any:
            raise ValueError(f"{len(token_ids)} tokens")

    lab = make_lab(Broken)

    assert lab.scores((1, 2)) is None
    assert [failure.call for failure in lab.failures] == ["logits"]


def test_features_are_small_stable_numbers(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    lab.begin(make_trace(make_request("a"), make_request("b", (1,) * 9)))

    seen = features(lab, lab.base)

    assert seen == features(lab, lab.repeat(lab.base))
    assert len(seen) > 10
    assert all(0 <= feature < BUCKETS for feature in seen)


def test_a_longer_batch_shows_other_features(make_lab: Any, make_request: Any, make_trace: Any) -> None:
    lab = make_lab()
    lab.begin(make_trace(make_request("a")))
    alone = features(lab, lab.base)
    lab.begin(make_trace(make_request("a"), make_request("b")))

    assert set(features(lab, lab.base)) != set(alone)


def test_a_knob_setting_that_the_target_refuses_is_the_users_mistake(
    make_lab: Any, make_request: Any, make_trace: Any, toy: Any
) -> None:
    opened: list[int] = []

    class Choosy(toy):  # type: ignore[misc] # a fixture has no static type
        def __init__(self) -> None:
            opened.append(1)
            if len(opened) > 1:
                raise UsageError("Knob 'chunk_size' = 0 must be at least 1.")
            super().__init__()

    lab = make_lab(Choosy)
    lab.begin(make_trace(make_request(), chunk_size=0))

    with pytest.raises(UsageError, match="chunk_size"):
        _ = lab.base
