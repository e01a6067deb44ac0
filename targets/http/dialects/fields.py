"""Fields of request bodies by their place, which differs between dialects, and what a body gives the model to read."""

from __future__ import annotations

from targets.http.dialects.model import Dialect, Endpoint, Json
from targets.http.families import Family


def lookup(body: Json, path: tuple[str, ...]) -> Json:
    """What lies at a path of names; None if nothing does."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def placed(body: dict[str, Json], path: tuple[str, ...], value: Json) -> dict[str, Json]:
    """The body with a value at a path of names."""
    name, *rest = path
    if not rest:
        return body | {name: value}
    inner = body.get(name)
    return body | {name: placed(inner if isinstance(inner, dict) else {}, tuple(rest), value)}


def greedy(dialect: Dialect, body: dict[str, Json]) -> dict[str, Json]:
    """The body asking for the best tokens."""
    for path, value in dialect.greedy:
        body = placed(body, path, value)
    return body


def is_greedy(dialect: Dialect, body: Json) -> bool:
    """Whether a request asks for the best tokens, not for draws."""
    return all(lookup(body, path) == value for path, value in dialect.greedy)


def is_repeatable(dialect: Dialect, body: Json) -> bool:
    """Whether a request is greedy, or has a seed where the dialect knows seeds."""
    return is_greedy(dialect, body) or (dialect.seed_field is not None and lookup(body, dialect.seed_field) is not None)


def asking_for_scores(dialect: Dialect, family: Family, endpoint: Endpoint, body: dict[str, Json]) -> dict[str, Json]:
    """The body asking for the two best log-probabilities of each token; empty where a server reports none."""
    fields = dialect.scores.get(endpoint.kind, {})
    return body | fields if fields and not fields.keys() & set(family.unsupported) else {}


def prompts_of(body: dict[str, Json]) -> list[Json]:
    """The prompts of a request that has several; a list of numbers is one prompt of tokens."""
    return _several(body.get("prompt"))


def inputs_of(body: dict[str, Json]) -> list[Json]:
    """The same of a request for embeddings."""
    return _several(body.get("input"))


def _several(value: Json) -> list[Json]:
    several = isinstance(value, list) and len(value) > 1 and all(isinstance(one, str | list) for one in value)
    return value if isinstance(value, list) and several else []


def prompt_bytes(body: dict[str, Json]) -> int:
    """Bytes of the texts that a model has to read, at least as many as tokens; a list of ids counts each as one."""
    return sum(_read_size(body.get(name)) for name in ("prompt", "messages", "system", "input"))


def _read_size(value: Json) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="replace"))
    if isinstance(value, dict):
        return _read_size(value.get("content", value.get("text")))
    return sum(map(_read_size, value)) if isinstance(value, list) else int(value is not None)
