from __future__ import annotations

import numpy as np
import pytest

from targets.contract import SamplingParams
from targets.reference.sampling.penalties import History, has_penalties, process

VOCAB = 6
EOS = (2,)


def processed(
    logits: list[float], sampling: SamplingParams, prompt: tuple[int, ...] = (), output: tuple[int, ...] = ()
) -> list[float]:
    history = History(prompt, VOCAB) if has_penalties(sampling) else None
    for token in output:
        if history is not None:
            history.add(token)
    row = np.array(logits, dtype=np.float64)
    process(row, sampling, history, EOS, len(output))
    values: list[float] = row.tolist()
    return values


LOGITS = [1.0, -1.0, 0.5, 2.0, -2.0, 0.0]


def test_neutral_parameters_change_nothing() -> None:
    assert processed(LOGITS, SamplingParams(), (0, 1), (2, 3)) == LOGITS
    assert not has_penalties(SamplingParams())


def test_bias_is_added_before_the_penalties() -> None:
    sampling = SamplingParams(logit_bias={1: 3.0}, repetition_penalty=2.0)
    assert processed(LOGITS, sampling, prompt=(1,)) == [1.0, 1.0, 0.5, 2.0, -2.0, 0.0]


def test_repetition_penalty_covers_prompt_and_output_once_each() -> None:
    sampling = SamplingParams(repetition_penalty=2.0)
    assert processed(LOGITS, sampling, (0, 1, 1), (3, 3)) == [0.5, -2.0, 0.5, 1.0, -2.0, 0.0]


def test_presence_penalty_counts_output_once_and_never_the_prompt() -> None:
    sampling = SamplingParams(presence_penalty=0.5)
    assert processed(LOGITS, sampling, (0, 1), (3, 3)) == [1.0, -1.0, 0.5, 1.5, -2.0, 0.0]


def test_frequency_penalty_counts_every_occurrence_in_the_output() -> None:
    sampling = SamplingParams(frequency_penalty=0.5)
    assert processed(LOGITS, sampling, (0, 1), (3, 3, 4)) == [1.0, -1.0, 0.5, 1.0, -2.5, 0.0]


def test_end_and_stop_tokens_are_impossible_before_min_tokens() -> None:
    sampling = SamplingParams(min_tokens=2, stop_token_ids=(4,), logit_bias={2: 100.0})
    assert [token for token, value in enumerate(processed(LOGITS, sampling, (), (0,))) if value == -np.inf] == [2, 4]
    assert processed(LOGITS, sampling, (), (0, 0))[2] == 100.5


@pytest.mark.parametrize("penalty", [5e-324, 1e-300])
def test_a_penalty_next_to_zero_leaves_finite_logits(penalty: float) -> None:
    assert np.isfinite(processed(LOGITS, SamplingParams(repetition_penalty=penalty), (0, 1, 2, 3, 4, 5))).all()
