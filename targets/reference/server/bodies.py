"""Request bodies: bounded, strict JSON, and decoded into their documented type."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from starlette.requests import Request

from targets.reference.server.errors import ApiError, invalid

BODY_LIMIT = 2**20
_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")

T = TypeVar("T")


async def read_body(request: Request, kind: type[T]) -> T:
    """The body as a value of `kind`. Raises `ApiError`."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(415, f"content-type {media_type!r} is not supported; send application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(415, "a compressed body is not supported")
    return decode_body(await _bounded(request), kind)


def decode_body(data: bytes, kind: type[T]) -> T:
    """The JSON text as a value of `kind`. Raises `ApiError`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        path = found["path"] if found else ""
        raise invalid(f"{path or 'body'}: {_PLACE.sub('', str(error))}", path or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The reason of a UnicodeDecodeError is enough; its text would quote the body.
        reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        raise invalid(f"the body is not JSON in UTF-8: {reason}") from None
    except RecursionError:
        raise invalid("the body is nested too deeply") from None


async def _bounded(request: Request) -> bytes:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > BODY_LIMIT:
            raise ApiError(413, f"the body is larger than {BODY_LIMIT} bytes")
    return bytes(data)
