"""The door through which faults are injected into a running server. It is for tests, like the accounting."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse

from targets.contract import FaultPoint
from targets.errors import UsageError
from targets.reference.server.errors import invalid
from targets.reference.server.front_end import FrontEnd


async def read(front_end: FrontEnd, request: Request) -> JSONResponse:
    """`GET /internal/faults`: name of each point to how often it was passed."""
    del request
    behind = await asyncio.wrap_future(front_end.engine.fault_points())
    return JSONResponse(front_end.faults.passed | behind)


async def inject(front_end: FrontEnd, request: Request) -> JSONResponse:
    """`POST /internal/faults` with `{"name", "occurrence"}`, or with `null` to withdraw what has not struck."""
    try:
        fault = msgspec.json.decode(await request.body(), type=FaultPoint | None)
        own = fault is None or fault.name in front_end.faults.passed
        front_end.faults.arm(fault if own else None)
        await asyncio.wrap_future(front_end.engine.inject(None if own else fault))
    except (msgspec.DecodeError, UsageError) as error:
        raise invalid(str(error)) from None
    return JSONResponse({"injected": None if fault is None else msgspec.to_builtins(fault)})
