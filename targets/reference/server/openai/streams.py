"""Answers at once and as streams of chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from targets.contract import FinishReason
from targets.reference.server.errors import ApiError, openai_envelope
from targets.reference.server.front_end import EndingStream
from targets.reference.server.generation import Generation, Sample, while_connected
from targets.reference.server.openai.shapes import Shape
from targets.reference.server.openai.types import Sampling

_FINISH = {FinishReason.STOP: "stop", FinishReason.LENGTH: "length", FinishReason.ABORT: "stop"}


async def answer(request: Request, generation: Generation, shape: Shape, body: Sampling) -> Any:
    """The response to a request whose generation has begun."""
    envelope = {"id": f"{shape.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
    if body.stream:
        options = body.stream_options
        with_usage = bool(options and options.include_usage)
        chunks = _stream(generation, shape, {**envelope, "object": shape.chunk_name}, with_usage=with_usage)
        return EndingStream(generation, chunks, "text/event-stream")
    samples = await while_connected(request, generation)
    choices = [shape.whole(index, sample, _finish(sample)) for index, sample in enumerate(samples)]
    return JSONResponse({**envelope, "object": shape.name, "choices": choices, "usage": _usage(generation)})


async def _stream(
    generation: Generation, shape: Shape, envelope: dict[str, Any], *, with_usage: bool
) -> AsyncIterator[bytes]:
    unset: dict[str, Any] = {"usage": None} if with_usage else {}
    try:
        for index in range(len(generation.choices)):
            if first := shape.first(index):
                yield _event({**envelope, "choices": [first], **unset})
        async with aclosing(generation.parts()) as parts:
            async for part in parts:
                if part.text or part.token:
                    yield _event({**envelope, "choices": [shape.delta(part)], **unset})
                if part.is_last:
                    last = shape.last(part.choice, _finish(part.sample))
                    yield _event({**envelope, "choices": [last], **unset})
    except ApiError as error:
        yield _event(openai_envelope(error))
    else:
        if with_usage:
            yield _event({**envelope, "choices": [], "usage": _usage(generation)})
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _finish(sample: Sample) -> str:
    return _FINISH[sample.finish_reason or FinishReason.STOP]


def _usage(generation: Generation) -> dict[str, int]:
    prompt, completion = generation.prompt_tokens, generation.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
