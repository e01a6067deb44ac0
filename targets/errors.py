"""The user's mistakes, as one exception type with a message that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """Something the user named or wrote is wrong; the message names it, and what is allowed. Exit code 2."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest allowed word, or an empty string."""
    matches = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def unknown(kind: str, word: str, allowed: Iterable[str], advice: str = "") -> UsageError:
    """The error for a name that is not among the allowed ones."""
    names = sorted(allowed)
    listing = ", ".join(names) if names else "none"
    advice = f" {advice}" if advice else ""
    return UsageError(f"Unknown {kind} {word!r}.{nearest(word, names)} Known: {listing}.{advice}")
