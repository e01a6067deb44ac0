"""What a target of kind `http` tells about its server."""

from __future__ import annotations

import msgspec

from targets.http.dialects.model import ApiLimits


class HttpApi(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to speak to a server, and what is known of it."""

    dialect: str
    family: str = "strict"
    limits: ApiLimits = ApiLimits()
    endpoints: tuple[str, ...] = ()
    """Names of the dialect's endpoints that the server has; empty is all."""
    headers: tuple[str, ...] = ()
    """Names (never values) of the headers sent with every request."""
