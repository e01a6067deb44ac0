from __future__ import annotations

import numpy as np

from targets.reference.model.config import DecoderConfig
from targets.reference.model.weights import decoder_weights, ternary


def test_equal_seeds_give_equal_weights() -> None:
    one, two = decoder_weights(DecoderConfig()), decoder_weights(DecoderConfig())
    other = decoder_weights(DecoderConfig(seed=1))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["head"], other["head"])


def test_ternary_weights_take_three_values() -> None:
    weights = decoder_weights(DecoderConfig(ternary=True))
    assert len(np.unique(weights["layers.0.query"])) == 3
    assert len(np.unique(weights["embedding"])) > 3


def test_ternary_weights_round_to_the_nearest_multiple_of_the_mean_magnitude() -> None:
    weight = np.array([[0.1, -0.1, 2.0, -1.8]], dtype=np.float32)
    assert np.allclose(ternary(weight), [[0.0, 0.0, 1.0, -1.0]])


def test_the_adapter_of_index_zero_does_nothing() -> None:
    weights = decoder_weights(DecoderConfig())
    assert not weights["layers.1.output_up"][0].any()
    assert weights["layers.1.output_up"][1].any()
