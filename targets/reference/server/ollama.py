"""`/api/generate`, `/api/chat`, `/api/tags`."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse

from targets.contract import FinishReason, SamplingParams
from targets.reference.server.bodies import read_body
from targets.reference.server.errors import ApiError, invalid, ollama_envelope
from targets.reference.server.front_end import EndingStream, FrontEnd, prompt_of
from targets.reference.server.generation import Generation, Sample, room, while_connected

_FINISH = {FinishReason.LENGTH: "length", FinishReason.STOP: "stop", FinishReason.ABORT: "stop"}
Write = Callable[[str], dict[str, Any]]
"""Puts a text into the field of the endpoint."""


class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    """Sampling options; null means absent."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    num_predict: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    """-1 fills the context."""
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    stop: list[Annotated[str, Meta(min_length=1)]] | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None


class Shared(Struct, kw_only=True, forbid_unknown_fields=True):
    """Fields of both endpoints."""

    model: Annotated[str, Meta(min_length=1)]
    stream: bool | None = None
    options: Options | None = None
    keep_alive: float | str | None = None
    format: Literal[""] | None = None
    """Constrained output is not supported."""


class GenerateBody(Shared):
    """`POST /api/generate`."""

    prompt: str | None = None
    system: str | None = None
    raw: bool | None = None


class ChatMessage(Struct, kw_only=True, forbid_unknown_fields=True):
    """One message."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None


class ChatBody(Shared):
    """`POST /api/chat`."""

    messages: list[ChatMessage] | None = None


async def generate(front_end: FrontEnd, request: Request) -> Any:
    """`POST /api/generate`."""
    body = await read_body(request, GenerateBody)
    front_end.check_model(body.model)
    text = body.prompt or ""
    if body.system and not body.raw:
        text = f"{body.system}\n{text}"
    return await _answer(front_end, request, body, text if body.prompt else "", lambda text: {"response": text})


async def chat(front_end: FrontEnd, request: Request) -> Any:
    """`POST /api/chat`."""
    body = await read_body(request, ChatBody)
    front_end.check_model(body.model)
    turns = [(message.role, message.content or "") for message in body.messages or ()]
    text = prompt_of(turns) if turns else ""
    return await _answer(
        front_end, request, body, text, lambda text: {"message": {"role": "assistant", "content": text}}
    )


async def tags(front_end: FrontEnd, request: Request) -> JSONResponse:
    """`GET /api/tags`."""
    del request
    model = {
        "name": front_end.model,
        "model": front_end.model,
        "modified_at": _moment(front_end.started),
        "size": 0,
        "digest": hashlib.sha256(front_end.model.encode()).hexdigest(),
        "details": {"format": "reference", "family": "reference", "parameter_size": "0", "quantization_level": "F32"},
    }
    return JSONResponse({"models": [model]})


async def _answer(front_end: FrontEnd, request: Request, body: Shared, text: str, write: Write) -> Any:
    if not text:
        keep = body.keep_alive
        reason = "unload" if keep is not None and keep in (0, "0") else "load"
        last = {**_stamp(front_end), **write(""), "done": True, "done_reason": reason}
        return JSONResponse(last)
    prompt = front_end.tokenize(text, "prompt")
    started = time.perf_counter_ns()
    generation = await front_end.begin([prompt], _sampling(front_end, body.options or Options(), prompt))
    if body.stream is not False:
        return EndingStream(generation, _stream(front_end, generation, write, started), "application/x-ndjson")
    [sample] = await while_connected(request, generation)
    return JSONResponse({**_stamp(front_end), **write(sample.text), **_end(generation, sample, started)})


def _sampling(front_end: FrontEnd, options: Options, prompt: tuple[int, ...]) -> SamplingParams:
    limit = options.num_predict
    if limit == 0:
        raise invalid("num_predict = 0, allowed are -1 (fill the context) and integers from 1", "num_predict")
    return SamplingParams(
        temperature=0.8 if options.temperature is None else options.temperature,
        top_k=40 if options.top_k is None else options.top_k,
        top_p=0.9 if options.top_p is None else options.top_p,
        min_p=options.min_p or 0.0,
        repetition_penalty=1.0 if options.repeat_penalty is None else options.repeat_penalty,
        presence_penalty=options.presence_penalty or 0.0,
        frequency_penalty=options.frequency_penalty or 0.0,
        seed=options.seed,
        stop=tuple(options.stop or ()),
        max_tokens=room(front_end.limits, [prompt]) if limit in (None, -1) else limit or 1,
    )


async def _stream(front_end: FrontEnd, generation: Generation, write: Write, started: int) -> AsyncIterator[bytes]:
    try:
        async with aclosing(generation.parts()) as parts:
            async for part in parts:
                if part.text:
                    yield _line({**_stamp(front_end), **write(part.text), "done": False})
    except ApiError as error:
        yield _line(ollama_envelope(error))
        return
    yield _line({**_stamp(front_end), **write(""), **_end(generation, generation.choices[0], started)})


def _stamp(front_end: FrontEnd) -> dict[str, Any]:
    return {"model": front_end.model, "created_at": _moment(time.time())}


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def _end(generation: Generation, sample: Sample, started: int) -> dict[str, Any]:
    passed = time.perf_counter_ns() - started
    return {
        "done": True,
        "done_reason": _FINISH[sample.finish_reason or FinishReason.STOP],
        "total_duration": passed,
        "load_duration": 0,
        "prompt_eval_count": generation.prompt_tokens,
        "prompt_eval_duration": 0,
        "eval_count": generation.completion_tokens,
        "eval_duration": passed,
    }


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
