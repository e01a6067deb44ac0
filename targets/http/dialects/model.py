"""What a dialect is, and what reading an answer yields."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

Json = Any
"""A parsed JSON value."""


class ApiLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a server's model; None where it is not."""

    model: str = "default"
    """Name to send as `model`."""
    vocab_size: int | None = None
    context_length: int | None = None
    bytes_per_token: int | None = None
    """Most bytes of UTF-8 that one token holds, so that a long text is known to be too long."""
    max_logprobs: int = 5
    max_top_logprobs: int = 20
    max_samples: int = 4
    max_stop: int = 4
    max_tokens: int = 24
    """Most tokens that a generated request asks for; keeps cases short."""
    largest_max_tokens: int | None = None


class EndpointKind(enum.StrEnum):
    """What an endpoint does."""

    COMPLETE = "complete"
    CHAT = "chat"
    EMBED = "embed"
    LIST = "list"


@dataclass(frozen=True)
class Endpoint:
    """One route of a dialect. `request` gives the JSON Schema of the documented body."""

    name: str
    method: str
    path: str
    kind: EndpointKind
    request: Callable[[ApiLimits], Json]
    streams_by_default: bool = False
    can_stream: bool = True


class Problem(msgspec.Struct, frozen=True):
    """One way in which an answer leaves its grammar."""

    slug: str
    message: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one sample."""

    index: int
    text: str
    finish: str | None
    """As the dialect names it; None if it never came."""
    tokens: tuple[str, ...] | None = None
    """Texts of the tokens, if log-probabilities were reported."""
    logprobs: tuple[float, ...] | None = None
    runners_up: tuple[float | None, ...] = ()
    """The best log-probability beside that of each token, None where no other was reported."""
    offsets: tuple[int, ...] = ()
    """Where each token begins in the text, if that was reported; the first need not be 0: a prompt may precede."""


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Token accounting of a response."""

    prompt: int | None
    completion: int | None
    total: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A successful response, read."""

    choices: tuple[Choice, ...] = ()
    usage: TokenUsage | None = None
    problems: tuple[Problem, ...] = ()
    events: int = 0
    """Stream events; 0 for a body at once."""
    error: str = ""
    """Message of an error that was reported inside a started stream."""
    vectors: tuple[tuple[float, ...], ...] = ()
    """Embeddings."""
    stamps: tuple[float, ...] = ()
    """Creation times it reports, in the unit of the dialect."""


class ErrorReading(msgspec.Struct, frozen=True, kw_only=True):
    """An error response, read."""

    message: str = ""
    kind: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """A way of speaking to inference servers."""

    name: str
    endpoints: tuple[Endpoint, ...]
    stream_type: str
    """Media type of a stream."""
    read_error: Callable[[Json, int], ErrorReading]
    """Takes the parsed body and the status."""
    read_answer: Callable[[Endpoint, Json], Answer]
    read_stream: Callable[[Endpoint, bytes, Json], Answer]
    """Takes the endpoint, the body, and the request that asked for it."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request."""
    required_headers: tuple[str, ...] = ()
    length_finish: str = "length"
    """Finish reason of a sample that reached `max_tokens`."""
    max_tokens_field: tuple[str, ...] = ("max_tokens",)
    """Path of the field that bounds the completion."""
    stop_field: tuple[str, ...] = ("stop",)
    seed_field: tuple[str, ...] | None = ("seed",)
    greedy: tuple[tuple[tuple[str, ...], Json], ...] = field(default=((("temperature",), 0),))
    """Paths and values that make an answer repeatable."""
    scores: Mapping[EndpointKind, dict[str, Json]] = field(default_factory=dict)
    """Fields that ask an endpoint of a kind for the two best log-probabilities of each token."""
    defaults: tuple[tuple[tuple[str, ...], Json], ...] = ()
    """Paths of optional fields and the defaults that the dialect documents for them."""

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name."""
        return next((endpoint for endpoint in self.endpoints if endpoint.name == name), None)

    def streams(self, endpoint: Endpoint, body: Json) -> bool:
        """Whether a request asks for a stream."""
        if not endpoint.can_stream:
            return False
        asked = body.get("stream") if isinstance(body, dict) else None
        return endpoint.streams_by_default if asked is None else asked is True
