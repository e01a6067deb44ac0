"""The dialect of `/v1/messages`."""

from __future__ import annotations

from targets.http.dialects.anthropic.answers import read_answer, read_error
from targets.http.dialects.anthropic.requests import messages
from targets.http.dialects.anthropic.streams import read_stream
from targets.http.dialects.model import Dialect, Endpoint, EndpointKind

ANTHROPIC = Dialect(
    name="anthropic",
    endpoints=(Endpoint("messages", "POST", "/v1/messages", EndpointKind.CHAT, messages),),
    stream_type="text/event-stream",
    read_error=read_error,
    read_answer=read_answer,
    read_stream=read_stream,
    headers=(("anthropic-version", "2023-06-01"),),
    required_headers=("anthropic-version",),
    length_finish="max_tokens",
    stop_field=("stop_sequences",),
    seed_field=None,
    defaults=((("stop_sequences",), []), (("stream",), False), (("top_p",), 1)),
)
