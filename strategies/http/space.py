"""What requests are drawn for: a dialect, its documented domain, and what is known of the server."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from strategies.edge_values import read
from targets.contract import Target
from targets.errors import UsageError
from targets.http.api import HttpApi
from targets.http.dialects import dialect_named
from targets.http.dialects.model import Dialect, Endpoint, EndpointKind, Json
from targets.http.families import Family, family_named

B = TypeVar("B")


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values with the real bugs that they stem from."""

    values: tuple[int | float | str, ...]
    sources: tuple[str, ...]


class HttpValues(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`http.toml`."""

    number: tuple[Pool, ...]
    raw: tuple[Pool, ...]
    text: tuple[Pool, ...]
    surrogate: tuple[Pool, ...]
    depth: tuple[Pool, ...]
    count: tuple[Pool, ...]


def _flat(pools: tuple[Pool, ...]) -> tuple[int | float | str, ...]:
    return tuple(value for pool in pools for value in pool.values)


_VALUES: HttpValues = read("http.toml", HttpValues)
NUMBERS = tuple(value for value in _flat(_VALUES.number) if not isinstance(value, str))
RAW = tuple(map(str, _flat(_VALUES.raw)))
TEXTS = tuple(map(str, _flat(_VALUES.text)))
SURROGATES = tuple(map(str, _flat(_VALUES.surrogate)))
DEPTHS = tuple(int(value) for value in _flat(_VALUES.depth))
COUNTS = tuple(int(value) for value in _flat(_VALUES.count))


class HttpSpace(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that generation and mutation need to know about a server."""

    api: HttpApi
    huge_share: float = 0.02
    """Share of malformed requests that are huge (a prompt of megabytes, half a million stop strings)."""

    @cached_property
    def dialect(self) -> Dialect:
        """The dialect of the requests."""
        return dialect_named(self.api.dialect)

    @cached_property
    def family(self) -> Family:
        """How the server differs from the strict reading."""
        return family_named(self.api.family)

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints that the server has."""
        names = self.api.endpoints
        return tuple(endpoint for endpoint in self.dialect.endpoints if not names or endpoint.name in names)

    @cached_property
    def generating(self) -> tuple[Endpoint, ...]:
        """Those that generate text."""
        kinds = (EndpointKind.COMPLETE, EndpointKind.CHAT)
        return tuple(endpoint for endpoint in self.endpoints if endpoint.kind in kinds)

    @cached_property
    def posting(self) -> tuple[Endpoint, ...]:
        """Those that take a body."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.method == "POST")

    @cached_property
    def _breaches(self) -> dict[str, tuple[Any, ...]]:
        return {}

    def breaches(self, endpoint: str, find: Callable[[Json], tuple[B, ...]]) -> tuple[B, ...]:
        """What `find` makes of an endpoint's schema; worked out once."""
        if endpoint not in self._breaches:
            found = self.dialect.endpoint(endpoint)
            self._breaches[endpoint] = find(found.request(self.api.limits)) if found else ()
        return self._breaches[endpoint]


def http_space_of(target: Target) -> HttpSpace:
    """The space of a target of kind `http`. Raises `UsageError` for another kind."""
    if target.api is None:
        raise UsageError(f"Target {target.name!r} of kind {target.kind.value} says nothing of an HTTP API.")
    return HttpSpace(api=target.api)
