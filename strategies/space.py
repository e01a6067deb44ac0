"""What a target can be asked: its limits, documented domain and knobs, and the numbers at which its code branches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from strategies.edge_values import LENGTHS, SAMPLING, TEXT, TOKENS, Group, evaluate
from targets.contract import Bound, Domain, Knob, KnobValue, Limits, Target
from targets.domain import DEFAULT_DOMAIN, INTEGER_FIELDS, NEUTRAL, within

GUESSED_BLOCK = 16
"""Block size for divergence points where a target does not tell its own."""

SHORT = 48
"""Prompts up to this length are ordinary; a window or chunk above it widens the range up to `SHORT_AT_MOST`."""

SHORT_AT_MOST = 160


class Geometry(NamedTuple):
    """The sizes in force under given knob settings, in tokens; `pool` is what the block pool holds."""

    block: int
    chunk: int | None
    window: int | None
    context: int
    pool: int | None


class LengthEdges(NamedTuple):
    """Boundary lengths in ascending order: those of ordinary prompts, and the longer ones."""

    short: tuple[int, ...]
    long: tuple[int, ...]


class Space(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that generation and mutation need to know about a target."""

    limits: Limits
    domain: Domain = DEFAULT_DOMAIN
    knobs: tuple[Knob, ...] = ()
    constants: tuple[int, ...] = ()
    """Integers taken from the target's own source; those that can be a length, an id or a number are tried as such."""
    max_requests: int = 6
    long_share: float = 0.03
    """Share of traces with one long prompt: up to the context or `long_prompt` tokens."""
    long_prompt: int = 8192
    max_step: int = 400
    """Latest step at which a request arrives or is aborted."""

    @cached_property
    def lengths(self) -> dict[Geometry, LengthEdges]:
        """Boundary lengths of the geometries met so far."""
        return {}

    @cached_property
    def option_edges(self) -> dict[str, tuple[float, ...]]:
        """Field of `SamplingParams` to its edge values in the domain, for fields that need no prompt to be known."""
        return _option_edges(self)

    @cached_property
    def option_fields(self) -> tuple[str, ...]:
        """Supported fields of `SamplingParams` that a request may vary beside temperature and max_tokens."""
        return _option_fields(self)

    @cached_property
    def edge_tokens(self) -> tuple[int, ...]:
        """Valid token ids with a meaning of their own: ends of the vocabulary, special ids, ids from constants."""
        return _edge_tokens(self)

    @cached_property
    def first_byte(self) -> int:
        """The id of byte 0 if the vocabulary is byte-level: the first id that is not special."""
        return _first_byte(self.limits)

    @cached_property
    def pieces(self) -> tuple[tuple[int, ...], ...]:
        """Byte sequences worth having in a prompt, as token ids of a byte-level vocabulary."""
        return _pieces(self)

    @cached_property
    def stop_texts(self) -> tuple[str, ...]:
        """Stop strings from the dictionary, shortest first."""
        return tuple(sorted((str(text) for group in TEXT.stop for text in group.values), key=len))

    @cached_property
    def knobs_by_name(self) -> dict[str, Knob]:
        """The knobs, by name."""
        return {knob.name: knob for knob in self.knobs}


def space_of(target: Target, constants: tuple[int, ...] = ()) -> Space:
    """The space of a target; `constants` are integers mined from its source."""
    domain = target.domain or DEFAULT_DOMAIN
    knobs = tuple(knob for knob in target.knobs if not knob.costly)
    return Space(limits=target.limits, domain=domain, knobs=knobs, constants=constants)


def geometry_of(space: Space, knobs: Mapping[str, KnobValue]) -> Geometry:
    """The sizes in force: a knob called like a limit (`block_size`, `chunk_size`, `total_blocks`) overrides it."""
    limits = space.limits
    block = _setting(space, knobs, "block_size", limits.block_size) or GUESSED_BLOCK
    blocks = _setting(space, knobs, "total_blocks", limits.total_blocks)
    return Geometry(
        block=block,
        chunk=_setting(space, knobs, "chunk_size", limits.chunk_size),
        window=_setting(space, knobs, "window", limits.window),
        context=limits.context_length,
        pool=blocks * block if blocks else None,
    )


def length_edges(space: Space, geometry: Geometry) -> LengthEdges:
    """Boundary lengths under this geometry, between 1 and the context minus one."""
    known = space.lengths.get(geometry)
    if known is None:
        known = space.lengths[geometry] = _length_edges(space, geometry)
    return known


def prompt_ceiling(space: Space, geometry: Geometry) -> int:
    """Longest prompt that leaves room for one token (or the fixed default number) in the context and the block pool."""
    behind = 1 if "max_tokens" in space.domain.supported else NEUTRAL.max_tokens
    return total_ceiling(geometry) - behind


def total_ceiling(geometry: Geometry) -> int:
    """Most tokens that prompt and completion of one request may have together."""
    return geometry.context if geometry.pool is None else min(geometry.context, geometry.pool)


def _setting(space: Space, knobs: Mapping[str, KnobValue], name: str, limit: int | None) -> int | None:
    knob = space.knobs_by_name.get(name)
    value = knobs.get(name, knob.default if knob else None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else limit


def _length_edges(space: Space, geometry: Geometry) -> LengthEdges:
    numbers = {
        "B": geometry.block,
        "C": geometry.chunk,
        "W": geometry.window,
        "P": geometry.pool,
        "X": geometry.context,
    }
    found = {evaluate(value, numbers) for group in LENGTHS.group for value in group.values}
    found |= {constant + nudge for constant in space.constants for nudge in (-1, 0, 1)}
    ceiling = min(prompt_ceiling(space, geometry), space.long_prompt)
    lengths = sorted(length for length in found if length is not None and 1 <= length <= ceiling)
    wide = max(geometry.chunk or 0, geometry.window or 0)
    border = min(max(SHORT, 2 * wide + geometry.block + 1), SHORT_AT_MOST)
    return LengthEdges(
        short=tuple(length for length in lengths if length <= border) or (1,),
        long=tuple(length for length in lengths if length > border),
    )


def _numbers(limits: Limits) -> dict[str, int | None]:
    return {"V": limits.vocab_size, "X": limits.context_length, "L": limits.max_logprobs, "S": limits.max_samples}


def _option_edges(space: Space) -> dict[str, tuple[float, ...]]:
    caps = {"logprobs": space.limits.max_logprobs, "prompt_logprobs": space.limits.max_logprobs}
    caps["n"] = space.limits.max_samples
    edges = {}
    for group in SAMPLING.field:
        bound = space.domain.bounds.get(group.name, Bound())
        integer = group.name in INTEGER_FIELDS
        extra = space.constants if integer else ()
        values = [
            value
            for value in (*_resolved(group, _numbers(space.limits)), *extra)
            if within(value, bound, integer) and value <= caps.get(group.name, value)
        ]
        edges[group.name] = tuple(dict.fromkeys(values))
    return edges


def _resolved(group: Group, numbers: Mapping[str, int | None]) -> list[float]:
    found = (evaluate(value, numbers) if isinstance(value, str) else value for value in group.values)
    return [number for number in found if number is not None]


def _option_fields(space: Space) -> tuple[str, ...]:
    limits = space.limits
    absent = {"temperature", "max_tokens"}
    if limits.max_samples < 2:
        absent.add("n")
    return tuple(name for name in NEUTRAL.__struct_fields__ if name in space.domain.supported and name not in absent)


def _edge_tokens(space: Space) -> tuple[int, ...]:
    limits = space.limits
    roles = {
        "eos": limits.eos_token_ids,
        "pad": () if limits.pad_token_id is None else (limits.pad_token_id,),
        "special": limits.special_token_ids,
    }
    found: list[int] = []
    for group in TOKENS.ids:
        for value in group.values:
            if isinstance(value, str) and value in roles:
                found += roles[value]
            else:
                found.append(evaluate(value, _numbers(limits)) or 0)
    found += space.constants
    return tuple(dict.fromkeys(token for token in found if 0 <= token < limits.vocab_size))


def _pieces(space: Space) -> tuple[tuple[int, ...], ...]:
    if space.first_byte + 256 > space.limits.vocab_size:
        return ()
    texts = [bytes.fromhex(str(value)) for group in TOKENS.bytes for value in group.values]
    return tuple(tuple(space.first_byte + byte for byte in text) for text in texts)


def _first_byte(limits: Limits) -> int:
    return next((token for token in range(limits.vocab_size) if token not in limits.special_token_ids), 0)
