"""Settings of one engine: the knobs, checked. No setting changes any result."""

from __future__ import annotations

from dataclasses import dataclass, fields

from targets.errors import UsageError


@dataclass(frozen=True)
class EngineSettings:
    """How the engine works, never what it answers; defaults are the knobs' defaults."""

    block_size: int = 4
    """Tokens in one block of the KV cache."""
    chunk_size: int = 16
    """Tokens computed in one step, over all requests; drafts come on top."""
    prefix_cache: bool = True
    """Reuse blocks of earlier requests with the same beginning, adapter and salt."""
    max_batch: int = 8
    """Sequences that run at the same time."""
    total_blocks: int = 128
    """Blocks in the pool; a request that could never fit is refused."""
    speculative: int = 0
    """Draft tokens proposed in each decoding step; 0 is off."""
    compiled: bool = False
    """Run the model through torch.compile."""
    poison: bool = False
    """Fill blocks with NaN whenever they are free, so that a stale read shows."""

    def __post_init__(self) -> None:
        for name in ("block_size", "chunk_size", "max_batch", "total_blocks"):
            _check_at_least(name, getattr(self, name), 1)
        _check_at_least("speculative", self.speculative, 0)

    def blocks_for(self, tokens: int) -> int:
        """Blocks that hold this many tokens."""
        return -(-tokens // self.block_size)


def _check_at_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"Knob {name!r} = {value!r} must be an integer of at least {least}.")


KNOB_NAMES = tuple(field.name for field in fields(EngineSettings))
