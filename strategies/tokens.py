"""Token sequences: their lengths and their contents, with long ones from compact draws."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from strategies.source import Source, drawn
from strategies.space import Geometry, Space, geometry_of, length_edges, prompt_ceiling

PACKED = 48
"""Longest sequence whose bytes are drawn one by one; a longer one is a motif repeated or a seed expanded.

Hypothesis gives one example about 8 KiB of entropy, which a list of 4,096 drawn tokens exceeds.
"""

KINDS = ("motif", "packed", "packed", "packed", "text")


def token_sequences(space: Space, length: int | None = None) -> st.SearchStrategy[tuple[int, ...]]:
    """Tuples of valid token ids, of a boundary or small length unless one is given.

    A `length` of thousands costs no more entropy than a short one.
    """

    def sequence(source: Source) -> tuple[int, ...]:
        geometry = geometry_of(space, {})
        wanted = draw_length(source, space, geometry, prompt_ceiling(space, geometry)) if length is None else length
        return draw_tokens(source, space, wanted)

    return drawn(sequence)


def draw_length(source: Source, space: Space, geometry: Geometry, ceiling: int) -> int:
    """An ordinary prompt length in `1..ceiling`: a small number or one at a boundary of the executor."""
    if source.boolean(0.6):
        return min(source.choice(length_edges(space, geometry).short), ceiling)
    return source.integer(1, min(12, ceiling))


def draw_long_length(source: Source, space: Space, geometry: Geometry, ceiling: int) -> int:
    """A long prompt length in `1..ceiling`, often at a boundary, else anywhere up to the space's `long_prompt`."""
    edges = length_edges(space, geometry).long
    if edges and source.boolean(0.6):
        return min(source.choice(edges), ceiling)
    highest = max(1, min(ceiling, space.long_prompt))
    return source.integer(min(PACKED, highest), highest)


def draw_tokens(source: Source, space: Space, length: int) -> tuple[int, ...]:
    """So many valid token ids: a repeated motif, arbitrary ids, or text, now and then with special ids inside."""
    if length < 1:
        return ()
    kind = source.choice(KINDS)
    if kind == "motif":
        tokens = repeated(draw_packed(source, space, source.integer(1, 4)), length)
    elif kind == "text" and space.pieces:
        tokens = draw_text(source, space, length)
    elif length <= PACKED:
        tokens = draw_packed(source, space, length)
    else:
        tokens = expanded(source.integer(0, 2**32 - 1), length, space.limits.vocab_size)
    return sprinkled(source, space, tokens) if source.boolean(0.15) else tokens


def draw_token(source: Source, space: Space) -> int:
    """One valid token id, one in five with a meaning of its own."""
    if space.edge_tokens and source.boolean(0.2):
        return source.choice(space.edge_tokens)
    return source.integer(0, space.limits.vocab_size - 1)


def draw_packed(source: Source, space: Space, length: int) -> tuple[int, ...]:
    """So many ids from one draw of bytes."""
    vocabulary = space.limits.vocab_size
    width = id_width(vocabulary)
    return unpacked(source.binary(length * width), width, vocabulary)


def draw_text(source: Source, space: Space, length: int) -> tuple[int, ...]:
    """Byte-level text: letters that run into a multi-byte, incomplete or invalid sequence at the end."""
    piece = source.choice(space.pieces)[:length]
    letter = space.first_byte + ord("a")
    start = repeated(tuple(letter + byte % 26 for byte in source.binary(min(8, length))), length - len(piece))
    return (*start, *piece)


def sprinkled(source: Source, space: Space, tokens: tuple[int, ...]) -> tuple[int, ...]:
    """The tokens with one or two special ids or ends of the vocabulary in place of others."""
    changed = list(tokens)
    for _ in range(source.integer(1, 2)):
        changed[source.integer(0, len(tokens) - 1)] = source.choice(space.edge_tokens)
    return tuple(changed)


def repeated(motif: Sequence[int], length: int) -> tuple[int, ...]:
    """The motif over and over, cut to the length."""
    if length <= 0:
        return ()
    return (tuple(motif) * (-(-length // len(motif))))[:length]


def expanded(seed: int, length: int, vocabulary: int) -> tuple[int, ...]:
    """So many ids that depend on the seed alone."""
    width = id_width(vocabulary)
    return unpacked(random.Random(seed).randbytes(length * width), width, vocabulary)


def id_width(vocabulary: int) -> int:
    """Bytes from which one id is made: one for a byte-level vocabulary, else enough for an even spread."""
    return 1 if vocabulary <= 320 else 2 if vocabulary <= 65536 else 4


def unpacked(data: bytes, width: int, vocabulary: int) -> tuple[int, ...]:
    """The ids packed into the bytes, `width` bytes each."""
    if width == 1:
        return tuple(data) if vocabulary >= 256 else tuple(byte % vocabulary for byte in data)
    pairs = range(0, len(data), width)
    return tuple(int.from_bytes(data[start : start + width], "little") % vocabulary for start in pairs)
