"""Incremental detokenization: text appears as soon as it can no longer change, and is never retracted."""

from __future__ import annotations

import codecs

from targets.reference.text.tokenizer import PIECES


class Detokenizer:
    """Turns tokens into text one by one; the bytes of an unfinished character wait for the rest of it."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = b""

    def push(self, token: int) -> str:
        """Text that became final with this token."""
        self._pending += PIECES[token]
        text, consumed = codecs.utf_8_decode(self._pending, "replace", False)
        self._pending = self._pending[consumed:]
        return text

    def flush(self) -> str:
        """Text of what is still pending at the end: U+FFFD for an unfinished character."""
        text = self._pending.decode(errors="replace")
        self._pending = b""
        return text
