"""The dialect of `/v1/completions`, `/v1/chat/completions`, `/v1/embeddings` and `/v1/models`."""

from __future__ import annotations

from targets.http.dialects.model import Dialect, Endpoint, EndpointKind
from targets.http.dialects.openai.answers import read_answer, read_error
from targets.http.dialects.openai.requests import chat, completions, embeddings, models
from targets.http.dialects.openai.streams import read_stream

OPENAI = Dialect(
    name="openai",
    endpoints=(
        Endpoint("completions", "POST", "/v1/completions", EndpointKind.COMPLETE, completions),
        Endpoint("chat", "POST", "/v1/chat/completions", EndpointKind.CHAT, chat),
        Endpoint("embeddings", "POST", "/v1/embeddings", EndpointKind.EMBED, embeddings, can_stream=False),
        Endpoint("models", "GET", "/v1/models", EndpointKind.LIST, models, can_stream=False),
    ),
    stream_type="text/event-stream",
    read_error=read_error,
    read_answer=read_answer,
    read_stream=read_stream,
    scores={
        EndpointKind.COMPLETE: {"logprobs": 2},
        EndpointKind.CHAT: {"logprobs": True, "top_logprobs": 2},
    },
    defaults=(
        (("n",), 1),
        (("top_p",), 1),
        (("presence_penalty",), 0),
        (("frequency_penalty",), 0),
        (("logit_bias",), {}),
        (("stream",), False),
    ),
)
