"""The dialect of `/api/generate`, `/api/chat` and `/api/tags`; it streams by default."""

from __future__ import annotations

from targets.http.dialects.model import Dialect, Endpoint, EndpointKind
from targets.http.dialects.ollama.answers import read_answer, read_error
from targets.http.dialects.ollama.requests import chat, generate, tags
from targets.http.dialects.ollama.streams import read_stream

OLLAMA = Dialect(
    name="ollama",
    endpoints=(
        Endpoint("generate", "POST", "/api/generate", EndpointKind.COMPLETE, generate, streams_by_default=True),
        Endpoint("chat", "POST", "/api/chat", EndpointKind.CHAT, chat, streams_by_default=True),
        Endpoint("tags", "GET", "/api/tags", EndpointKind.LIST, tags, can_stream=False),
    ),
    stream_type="application/x-ndjson",
    read_error=read_error,
    read_answer=read_answer,
    read_stream=read_stream,
    max_tokens_field=("options", "num_predict"),
    stop_field=("options", "stop"),
    seed_field=("options", "seed"),
    greedy=((("options", "temperature"), 0),),
    defaults=((("options", "top_p"), 0.9), (("options", "top_k"), 40), (("options", "stop"), []), (("stream",), True)),
)
