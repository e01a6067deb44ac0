"""`/v1/messages`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse

from targets.contract import FinishReason, SamplingParams
from targets.reference.server.bodies import read_body
from targets.reference.server.errors import ApiError, anthropic_envelope, invalid
from targets.reference.server.front_end import EndingStream, FrontEnd, prompt_of
from targets.reference.server.generation import Generation, Sample, while_connected

VERSIONS = ("2023-01-01", "2023-06-01")
_FINISH = {FinishReason.LENGTH: "max_tokens", FinishReason.STOP: "end_turn", FinishReason.ABORT: "end_turn"}
_Text = Annotated[str, Meta(min_length=1)]


class Block(Struct, kw_only=True, forbid_unknown_fields=True):
    """A block of text."""

    type: Literal["text"]
    text: _Text


class Turn(Struct, kw_only=True, forbid_unknown_fields=True):
    """One message."""

    role: Literal["user", "assistant"]
    content: _Text | Annotated[list[Block], Meta(min_length=1)]


class Metadata(Struct, forbid_unknown_fields=True):
    """About the request; unused."""

    user_id: str | None = None


class MessagesBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """The request; null means absent."""

    model: str
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    messages: Annotated[list[Turn], Meta(min_length=1)]
    system: str | list[Block] | None = None
    stop_sequences: list[_Text] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stream: bool | None = None
    metadata: Metadata | None = None


async def messages(front_end: FrontEnd, request: Request) -> Any:
    """`POST /v1/messages`."""
    version = request.headers.get("anthropic-version")
    if version not in VERSIONS:
        raise invalid(f"header anthropic-version is {version!r}, allowed are {', '.join(VERSIONS)}")
    body = await read_body(request, MessagesBody)
    front_end.check_model(body.model)
    prompt = front_end.tokenize(_prompt(body), "messages")
    generation = await front_end.begin([prompt], _sampling(body))
    identity = f"msg_{uuid.uuid4().hex}"
    if body.stream:
        return EndingStream(generation, _stream(generation, identity, body.model), "text/event-stream")
    [sample] = await while_connected(request, generation)
    content = [{"type": "text", "text": sample.text}]
    usage = {"input_tokens": generation.prompt_tokens, "output_tokens": generation.completion_tokens}
    return JSONResponse({**_envelope(identity, body.model), "content": content, **_stop(sample), "usage": usage})


def _prompt(body: MessagesBody) -> str:
    system = [("system", _text(body.system))] if body.system else []
    return prompt_of([*system, *((turn.role, _text(turn.content)) for turn in body.messages)])


def _text(content: str | list[Block]) -> str:
    return content if isinstance(content, str) else "".join(block.text for block in content)


def _sampling(body: MessagesBody) -> SamplingParams:
    return SamplingParams(
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k or 0,
        stop=tuple(body.stop_sequences or ()),
        max_tokens=body.max_tokens,
    )


def _envelope(identity: str, model: str) -> dict[str, Any]:
    return {"id": identity, "type": "message", "role": "assistant", "model": model}


def _stop(sample: Sample) -> dict[str, Any]:
    if isinstance(sample.stop_reason, str):
        return {"stop_reason": "stop_sequence", "stop_sequence": sample.stop_reason}
    return {"stop_reason": _FINISH[sample.finish_reason or FinishReason.STOP], "stop_sequence": None}


async def _stream(generation: Generation, identity: str, model: str) -> AsyncIterator[bytes]:
    usage = {"input_tokens": generation.prompt_tokens, "output_tokens": 0}
    opening = {**_envelope(identity, model), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield _event({"type": "message_start", "message": opening})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    try:
        async with aclosing(generation.parts()) as parts:
            async for part in parts:
                if part.text:
                    delta = {"type": "text_delta", "text": part.text}
                    yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    except ApiError as error:
        yield _event(anthropic_envelope(error))
        return
    yield _event({"type": "content_block_stop", "index": 0})
    counted = {"output_tokens": generation.completion_tokens}
    yield _event({"type": "message_delta", "delta": _stop(generation.choices[0]), "usage": counted})
    yield _event({"type": "message_stop"})


def _event(value: dict[str, Any]) -> bytes:
    name: str = value["type"]
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"
