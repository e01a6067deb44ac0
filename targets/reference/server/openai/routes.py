"""`/v1/completions`, `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`."""

from __future__ import annotations

import base64
import struct
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from targets.reference.server.bodies import read_body
from targets.reference.server.errors import invalid
from targets.reference.server.front_end import FrontEnd
from targets.reference.server.openai.inputs import chat_prompt, chat_sampling, completion_sampling, token_lists
from targets.reference.server.openai.shapes import Chat, Completion
from targets.reference.server.openai.streams import answer
from targets.reference.server.openai.types import ChatBody, CompletionBody, EmbeddingBody


async def completions(front_end: FrontEnd, request: Request) -> Any:
    """`POST /v1/completions`."""
    body = await read_body(request, CompletionBody)
    front_end.check_model(body.model)
    sampling = completion_sampling(front_end, body)
    prompts = token_lists(front_end, body.prompt, "prompt")
    if body.echo and not isinstance(body.prompt, str):
        raise invalid("echo needs a prompt that is a text", "echo")
    generation = await front_end.begin(prompts, sampling)
    return await answer(request, generation, Completion(str(body.prompt) if body.echo else ""), body)


async def chat(front_end: FrontEnd, request: Request) -> Any:
    """`POST /v1/chat/completions`."""
    body = await read_body(request, ChatBody)
    front_end.check_model(body.model)
    prompt = front_end.tokenize(chat_prompt(body), "messages")
    generation = await front_end.begin([prompt], chat_sampling(front_end, body, prompt))
    return await answer(request, generation, Chat(), body)


async def embeddings(front_end: FrontEnd, request: Request) -> JSONResponse:
    """`POST /v1/embeddings`."""
    body = await read_body(request, EmbeddingBody)
    front_end.check_model(body.model)
    inputs = token_lists(front_end, body.input, "input")
    size = front_end.limits.vocab_size
    if body.dimensions is not None and body.dimensions > size:
        raise invalid(f"dimensions = {body.dimensions}, allowed are at most {size}", "dimensions")
    vectors = [(await front_end.embed(tokens))[: body.dimensions] for tokens in inputs]
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if body.encoding_format == "base64" else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    used = sum(map(len, inputs))
    usage = {"prompt_tokens": used, "total_tokens": used}
    return JSONResponse({"object": "list", "model": front_end.model, "data": data, "usage": usage})


async def models(front_end: FrontEnd, request: Request) -> JSONResponse:
    """`GET /v1/models`."""
    del request
    model = {"id": front_end.model, "object": "model", "created": front_end.started, "owned_by": "inferfuzz"}
    return JSONResponse({"object": "list", "data": [model]})


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
