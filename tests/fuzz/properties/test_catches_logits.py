"""Breaking the model on one device or dtype, or its mask, is seen by P22 or P23."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from targets.reference import DECODER
from targets.reference import executor as engine
from targets.reference.model import batch
from targets.reference.model.hashing import HashModel


def test_p22_sees_logits_that_are_wrong_in_one_dtype_only(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    forward = HashModel.forward

    def broken(self: HashModel, *arguments: Any) -> Any:
        rows = forward(self, *arguments)
        return rows[:, ::-1].copy() if str(self.dtype) == "torch.bfloat16" else rows

    monkeypatch.setattr(HashModel, "forward", broken)

    assert "P22/not-the-best-token" in signatures(make_trace(make_request()), "P22", dtype="bfloat16")


def test_p22_sees_logits_that_are_wrong_where_the_best_token_is_right(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    forward = HashModel.forward
    monkeypatch.setattr(HashModel, "forward", lambda self, *arguments: 1.05 * forward(self, *arguments))

    assert signatures(make_trace(make_request()), "P22") == {"P22/logits-differ"}


def test_p22_finds_both_dtypes_alike(make_request: Any, make_trace: Any, signatures: Any) -> None:
    trace = make_trace(make_request(logprobs=4))

    assert signatures(trace, "P22", dtype="bfloat16") == set()
    assert signatures(trace, "P22", target=DECODER, dtype="bfloat16") == set()


def test_p23_sees_attention_to_later_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any, decoder_model: Any
) -> None:
    def seeing(pieces: Any, rows: Any, block_size: int) -> Any:
        made = batch.flatten(pieces, rows, block_size)
        keys = np.arange(made.key_slots.shape[1])
        return dataclasses.replace(
            made, distance=np.abs(made.distance), key_slots=np.broadcast_to(keys, made.key_slots.shape).copy()
        )

    monkeypatch.setattr(engine, "flatten", seeing)

    found = signatures(make_trace(make_request()), "P23", target=DECODER, model=decoder_model)

    assert found == {"P23/changing-later-tokens"}
