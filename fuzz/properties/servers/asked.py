"""What the exchanges of a case ask for: conditions under which a property can have anything to compare."""

from __future__ import annotations

from strategies.http.breaking.editing import json_of
from targets.http.case import Exchange, HttpCase, Intent
from targets.http.dialects import dialect_named
from targets.http.dialects.fields import inputs_of, is_greedy, is_repeatable, prompts_of
from targets.http.dialects.model import EndpointKind


def answers(case: HttpCase) -> bool:
    """A valid request whose client stays."""
    return any(_stays(exchange) for exchange in case.exchanges)


def repeatable_text(case: HttpCase) -> bool:
    """A valid request for greedy or seeded text whose client stays."""
    return any(_stays(exchange) and _is_repeatable(case.dialect, exchange) for exchange in case.exchanges)


def company(case: HttpCase) -> bool:
    """A valid request beside or after others, or one that has several prompts or inputs."""
    several = len(case.exchanges) > 1 and repeatable_text(case)
    return several or any(_stays(exchange) and _has_inputs(case.dialect, exchange) for exchange in case.exchanges)


def _has_inputs(name: str, exchange: Exchange) -> bool:
    dialect, body = dialect_named(name), json_of(exchange.message)
    endpoint = dialect.endpoint(exchange.endpoint)
    if endpoint is None or body is None:
        return False
    if endpoint.kind is EndpointKind.EMBED:
        return bool(inputs_of(body))
    return endpoint.kind is EndpointKind.COMPLETE and is_greedy(dialect, body) and bool(prompts_of(body))


def _stays(exchange: Exchange) -> bool:
    return exchange.intent is Intent.VALID and exchange.hang_up is None


def _is_repeatable(name: str, exchange: Exchange) -> bool:
    dialect = dialect_named(name)
    endpoint = dialect.endpoint(exchange.endpoint)
    if endpoint is None or endpoint.kind not in (EndpointKind.COMPLETE, EndpointKind.CHAT):
        return False
    body = json_of(exchange.message)
    return body is not None and is_repeatable(dialect, body)
