"""Spaces of imagined targets: an ordinary one, and those at the edges of what the contract allows."""

from __future__ import annotations

import pytest

from strategies.space import Space
from targets.contract import Bound, Domain, Knob, Limits
from targets.domain import DEFAULT_DOMAIN

LIMITS = Limits(
    vocab_size=272,
    context_length=256,
    eos_token_ids=(257,),
    pad_token_id=258,
    special_token_ids=(256, 257, 258),
    block_size=4,
    chunk_size=16,
    window=24,
    max_batch=4,
    total_blocks=128,
    max_logprobs=20,
    max_samples=4,
    adapters=("red", "blue"),
)

KNOBS = (
    Knob("block_size", 4, (1, 2, 4, 8, 16)),
    Knob("chunk_size", 16, (1, 4, 7, 16, 64)),
    Knob("prefix_cache", True, (True, False)),
    Knob("max_batch", 4, (1, 2, 4, 8)),
    Knob("total_blocks", 128, (64, 72, 128)),
    Knob("speculative", 0, (0, 2, 4)),
)

NARROW = Domain(
    bounds=DEFAULT_DOMAIN.bounds
    | {
        "temperature": Bound(minimum=0.1, maximum=1.0),
        "logit_bias": Bound(minimum=-1.0, maximum=1.0),
    },
    supported=("temperature", "stop", "logit_bias", "stop_token_ids"),
    max_stop=1,
    max_logit_bias=2,
)

SPACES = {
    "ordinary": Space(limits=LIMITS, knobs=KNOBS, constants=(13, 77)),
    "bare": Space(limits=Limits(vocab_size=2, context_length=18)),
    "narrow": Space(limits=Limits(vocab_size=300, context_length=64, eos_token_ids=(3,)), domain=NARROW),
    "greedy": Space(
        limits=Limits(vocab_size=300, context_length=128),
        domain=Domain(bounds=DEFAULT_DOMAIN.bounds, supported=("max_tokens",), empty_prompt=True),
    ),
    "large": Space(
        limits=Limits(vocab_size=151_936, context_length=32_768, block_size=16, chunk_size=512, max_logprobs=20),
        long_share=0.3,
    ),
    "tight": Space(
        limits=Limits(vocab_size=272, context_length=256, block_size=4, total_blocks=3, max_samples=2), knobs=KNOBS[:1]
    ),
}


@pytest.fixture(scope="session")
def space() -> Space:
    """A byte-level target with every capability."""
    return SPACES["ordinary"]


@pytest.fixture(scope="session", params=sorted(SPACES))
def any_space(request: pytest.FixtureRequest) -> Space:
    """Every imagined target in turn."""
    found: Space = SPACES[request.param]
    return found
