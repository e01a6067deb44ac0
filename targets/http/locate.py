"""Targets of kind `http`: any server by URL, a server by its command, the reference front end in this process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from targets.contract import Limits, Target, TargetKind
from targets.errors import UsageError
from targets.http.address import Address, parse_url, redact
from targets.http.api import HttpApi
from targets.http.case import Message
from targets.http.client import Client, ask
from targets.http.dialects import dialect_named
from targets.http.dialects.model import ApiLimits, EndpointKind
from targets.http.families import family_named
from targets.http.keeper import process_of
from targets.http.logged import logged_here
from targets.http.process import ServerCommand
from targets.http.server import Server

HEADERS_VARIABLE = "INFERFUZZ_HEADERS"
"""Headers for every request, one a line (`authorization: Bearer ...`); kept out of names, cases and reports."""
HOSTS_VARIABLE = "INFERFUZZ_ALLOW_HOSTS"
"""Hosts beside loopback that may be tested, separated by commas."""
MODEL_VARIABLE = "INFERFUZZ_MODEL"
"""Name of the model to ask for, where the server does not list it."""
DEADLINE_VARIABLE = "INFERFUZZ_DEADLINE"
"""Seconds that a server may take for one answer, where it is slower than `DEADLINE` allows."""
_INSTALL = "pip install 'inferfuzz[server]'"
DEADLINE = 5.0
_NAME = re.compile(r"(?:(?P<dialect>[a-z]+)(?::(?P<family>[a-z.-]+))?\+)?(?P<rest>https?://.*|cmd:.*)", re.DOTALL)
_UNKNOWN_LIMITS = Limits(vocab_size=2**31, context_length=2**31)


def find_server(name: str) -> Target:
    """The target that such a name stands for. Raises `UsageError`."""
    found = _NAME.fullmatch(name)
    if not found:
        raise UsageError(f"Server {redact(name)!r} is not understood. Write dialect[:family]+http://127.0.0.1:8000")
    dialect, family = found["dialect"] or "openai", found["family"] or "strict"
    if found["rest"].startswith("cmd:"):
        return command_target(ServerCommand(found["rest"].removeprefix("cmd:")), dialect, family=family)
    return http_target(found["rest"], dialect, family=family)


def http_target(
    url: str,
    dialect: str,
    *,
    family: str = "strict",
    limits: ApiLimits | None = None,
    allowed_hosts: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Target:
    """A running server. Asks it for the name of its model unless `limits` says it.

    Raises `UsageError` for a URL that is no plain HTTP on an allowed host, or if no server answers there.
    """
    hosts = (*allowed_hosts, *filter(None, os.environ.get(HOSTS_VARIABLE, "").split(",")))
    address = parse_url(url, hosts)
    client = Client(address, headers or _headers_from_environment(), answer_seconds())
    api = HttpApi(
        dialect=dialect_named(dialect).name,
        family=family_named(family).name,
        limits=limits or ApiLimits(model=os.environ.get(MODEL_VARIABLE) or model_name(client, dialect)),
        endpoints=family_named(family).endpoints,
        headers=tuple(name for name, _ in client.headers),
    )
    return _target(f"{dialect}+{address.url}", f"server at {address.url}", api, lambda: Server(client, api))


def command_target(
    command: ServerCommand,
    dialect: str,
    *,
    family: str = "strict",
    limits: ApiLimits | None = None,
    name: str = "",
) -> Target:
    """A server that is started when the target is loaded, and restarted when a request kills it.

    It is not asked for its model before that: unless `limits` or the environment says it, the name is `default`.
    """
    named = os.environ.get(MODEL_VARIABLE)
    known = limits or (ApiLimits(model=named) if named else ApiLimits())
    rules = family_named(family)
    api = HttpApi(dialect=dialect_named(dialect).name, family=rules.name, limits=known, endpoints=rules.endpoints)

    def open_server() -> Server:
        process = process_of(command)
        return Server(Client(process.address, deadline=answer_seconds()), api, process.stop, process)

    return _target(
        name or f"{dialect}+cmd:{command.command}", f"server started by {redact(command.command)}", api, open_server
    )


def reference_target(dialect: str) -> Target:
    """The strict front end over the reference executor with the hash model, served in the worker's own process."""
    from targets.reference import HASH

    limits = ApiLimits(
        model=HASH.name,
        vocab_size=HASH.limits.vocab_size,
        context_length=HASH.limits.context_length,
        bytes_per_token=6,
        max_samples=HASH.limits.max_samples,
    )
    api = HttpApi(dialect=dialect, family="reference", limits=limits)
    target = _target(
        f"reference-{dialect}",
        f"reference front end, {dialect} dialect",
        api,
        partial(_serve_reference, api),
        HASH.limits,
        modules=("targets.reference.server",),
    )
    serving = dict.fromkeys(("starlette", "uvicorn"), _INSTALL)
    return replace(target, requires={**target.requires, **serving, **HASH.requires})


def reference_command(dialect: str) -> Target:
    """The same front end served by a process of its own, so that its death is one that is survived."""
    from targets.reference import HASH

    served = reference_target(dialect)
    assert served.api is not None
    return command_target(
        ServerCommand(f"{sys.executable} -m targets.reference.server.command {HASH.name} {{port}}"),
        dialect,
        family="reference",
        limits=served.api.limits,
        name=f"reference-{dialect}-process",
    )


reference_openai = partial(reference_target, "openai")
reference_openai_process = partial(reference_command, "openai")
reference_anthropic = partial(reference_target, "anthropic")
reference_ollama = partial(reference_target, "ollama")


def answer_seconds() -> float:
    """Seconds that one answer may take. Raises `UsageError` if the environment says something else than that."""
    text = os.environ.get(DEADLINE_VARIABLE, "")
    try:
        seconds = float(text or DEADLINE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise UsageError(f"{DEADLINE_VARIABLE} = {text!r} must be seconds, more than 0 and at most 600.")
    return seconds


def model_name(client: Client, dialect: str) -> str:
    """The first model that the server lists, `default` if it does not say. Raises `UsageError` if nobody answers."""
    endpoint = next((one for one in dialect_named(dialect).endpoints if one.kind is EndpointKind.LIST), None)
    reply = ask(client, Message(method="GET", path=endpoint.path if endpoint else "/v1/models"))
    if reply.status is None:
        detail = f": {reply.problem}" if reply.problem else ""
        raise UsageError(f"No HTTP server answers at {client.address.url} ({reply.end.value}{detail}). Start it first.")
    with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
        body = json.loads(reply.body)
        first = (body.get("data") or body.get("models"))[0]
        return str(first.get("id") or first["name"])
    return "default"


def _serve_reference(api: HttpApi) -> Server:
    from targets.reference import HASH
    from targets.reference.server.run import serving_target

    stack = contextlib.ExitStack()
    logged = stack.enter_context(logged_here())
    port = stack.enter_context(serving_target(HASH))
    client = Client(Address(host="127.0.0.1", port=port), deadline=answer_seconds())
    return Server(client, api, stack.close, logged=logged)


def _target(
    name: str,
    summary: str,
    api: HttpApi,
    open_server: Callable[[], Server],
    limits: Limits = _UNKNOWN_LIMITS,
    modules: tuple[str, ...] = (),
) -> Target:
    return Target(
        name=name,
        summary=summary,
        load=lambda _device, _dtype: open_server,
        open=lambda opener: opener(),
        limits=limits,
        kind=TargetKind.HTTP,
        api=api,
        modules=modules,
        requires=dict.fromkeys(("h11", "jsonschema"), _INSTALL),
    )


def _headers_from_environment() -> tuple[tuple[str, str], ...]:
    lines = os.environ.get(HEADERS_VARIABLE, "").splitlines()
    pairs = [line.partition(":") for line in lines if line.strip()]
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)
