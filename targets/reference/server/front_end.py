"""What every route needs: the engine, the limits and the name of the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from targets.contract import Limits, RequestRejected, SamplingParams
from targets.reference.faults import FRONT_END_POINTS, FaultInjector, RequestFailed
from targets.reference.server.engine import EngineThread
from targets.reference.server.errors import ApiError, invalid, of_rejection
from targets.reference.server.generation import Generation

Message = tuple[str, str]
"""Role and text."""


@dataclass(frozen=True)
class FrontEnd:
    """A running engine behind HTTP."""

    engine: EngineThread
    limits: Limits
    model: str
    faults: FaultInjector = field(default_factory=lambda: FaultInjector(FRONT_END_POINTS))
    started: int = field(default_factory=lambda: int(time.time()))

    def check_model(self, name: str) -> None:
        """Raises `ApiError` for a model that is not served."""
        if name != self.model:
            raise ApiError(
                404, f"model {name!r} does not exist; this server has {self.model!r}", "model", "model_not_found"
            )

    def tokenize(self, text: str, param: str) -> tuple[int, ...]:
        """Token ids of a text that came in the field `param`. Raises `ApiError`."""
        try:
            self.faults.check("tokenize")
            return self.engine.tokenize(text)
        except RequestRejected as rejected:
            raise invalid(str(rejected), param) from None
        except RequestFailed as failed:
            raise ApiError(500, str(failed), param) from None

    async def begin(self, prompts: Sequence[tuple[int, ...]], sampling: SamplingParams) -> Generation:
        """Start generating. Raises `ApiError` if the executor refuses it."""
        generation = Generation(self.engine, prompts, sampling, self.faults)
        await generation.start()
        return generation

    async def embed(self, tokens: tuple[int, ...]) -> list[float]:
        """The logits behind the last token, scaled to length one: an embedding good enough to compare texts."""
        try:
            return await asyncio.wrap_future(self.engine.embed(tokens))
        except RequestRejected as rejected:
            raise of_rejection(rejected) from None


def prompt_of(messages: Sequence[Message]) -> str:
    """The chat template: one line a message, then the assistant's turn."""
    return "".join(f"{role}: {text}\n" for role, text in messages) + "assistant:"


class EndingStream:
    """A streamed response that ends its generation whichever way it ends itself."""

    def __init__(self, generation: Generation, body: AsyncIterator[bytes], media_type: str) -> None:
        self._generation = generation
        self._response = StreamingResponse(body, media_type=media_type, headers={"cache-control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; a client that leaves ends it."""
        sending = asyncio.ensure_future(self._response(scope, receive, send))
        watching = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)
            self._generation.abort()
        if not sending.cancelled():
            sending.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
