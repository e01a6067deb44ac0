"""What a mock server answers and what goes wrong with it, as plain data."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An answer for prompts that contain a text."""

    text: str
    contains: str = ""
    """Part of the prompt; empty matches every prompt."""


class Injection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that goes wrong with requests that match."""

    contains: str = ""
    """Part of any text in the body; empty matches every body."""
    path: str = ""
    """Beginning of the path; empty matches every path."""
    times: int | None = None
    """How many requests it happens to; None is all."""
    status: int | None = None
    """Answer with this error in the envelope of the dialect."""
    message: str = "injected error"
    retry_after: int | None = None
    """Seconds for the header `retry-after` of that error."""
    delay: float = 0.0
    """Seconds before anything is answered."""
    never: bool = False
    """Never answer."""
    cut_after: int | None = None
    """Close the connection after this many stream events."""
    corrupt_after: int | None = None
    """Send garbage in place of the event after this many."""

    def __post_init__(self) -> None:
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError(f"status = {self.status} of an injection must be an error status, 400 to 599")


class MockScript(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Replies and injections; in both, the first that matches is taken."""

    model: str = "mock"
    replies: tuple[Reply, ...] = (Reply(text="This is a canned answer."),)
    injections: tuple[Injection, ...] = ()
    token_delay: float = 0.0
    """Seconds between two tokens of an answer."""


def reply_for(script: MockScript, prompt: str) -> str:
    """The text of the first reply that matches; empty if none does."""
    return next((reply.text for reply in script.replies if reply.contains in prompt), "")
