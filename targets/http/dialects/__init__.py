"""What servers speak: endpoints, documented requests, envelopes and stream grammars, one package a dialect."""

from __future__ import annotations

from targets.errors import unknown
from targets.http.dialects.anthropic import ANTHROPIC
from targets.http.dialects.model import Dialect
from targets.http.dialects.ollama import OLLAMA
from targets.http.dialects.openai import OPENAI

DIALECTS = {dialect.name: dialect for dialect in (OPENAI, ANTHROPIC, OLLAMA)}


def dialect_named(name: str) -> Dialect:
    """The dialect of that name. Raises `UsageError`."""
    if name not in DIALECTS:
        raise unknown("dialect", name, DIALECTS)
    return DIALECTS[name]
