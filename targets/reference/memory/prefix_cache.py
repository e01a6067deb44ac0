"""Prefix cache: full blocks found again by a hash of everything the model saw up to their end."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b


def root_hash(adapter: str | None, salt: str | None) -> bytes:
    """Start of a hash chain: what the model sees besides the tokens, and who may share."""
    # repr tells None from 'None' and escapes lone surrogates, which are valid in a salt.
    return blake2b(ascii((adapter, salt)).encode(), digest_size=16).digest()


def block_hash(parent: bytes, tokens: Sequence[int]) -> bytes:
    """Hash of one full block, given the hash of everything before it."""
    return blake2b(parent + array("q", tokens).tobytes(), digest_size=16).digest()


class PrefixCache:
    """Which computed block holds which hash, and which of these blocks nobody uses (oldest first)."""

    def __init__(self) -> None:
        self._block_of: dict[bytes, int] = {}
        self._hash_of: dict[int, bytes] = {}
        self._unused: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, block: int) -> bool:
        return block in self._hash_of

    @property
    def unused(self) -> int:
        """Blocks that only the cache holds."""
        return len(self._unused)

    def lookup(self, hashes: Iterable[bytes]) -> list[int]:
        """Blocks of the longest known beginning of a hash chain."""
        blocks = []
        for key in hashes:
            block = self._block_of.get(key)
            if block is None:
                break
            blocks.append(block)
        return blocks

    def publish(self, block: int, key: bytes) -> None:
        """Make a fully computed block findable, unless an equal one is known already."""
        if key not in self._block_of and block not in self._hash_of:
            self._block_of[key] = block
            self._hash_of[block] = key

    def mark_unused(self, block: int) -> None:
        """Nobody holds this published block any more: it may be evicted, after those already unused."""
        self._unused[block] = None

    def mark_used(self, block: int) -> None:
        """Somebody holds this block again. Raises `KeyError` unless it was unused."""
        del self._unused[block]

    def evict(self) -> int | None:
        """Forget the block that has been unused longest, and return it; None if all are in use."""
        if not self._unused:
            return None
        block, _ = self._unused.popitem(last=False)
        del self._block_of[self._hash_of.pop(block)]
        return block
