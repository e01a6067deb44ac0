"""The rival for servers: Schemathesis against the server's OpenAPI document, in processes of its own.

It is run as its users run it, and its events are read while it runs. A failure counts if it is not reported on the
server without a bug as well.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from fuzz.bench.planted.model import Hunt, HuntPlan
from fuzz.bench.planted.spent import processor_seconds
from fuzz.planted.hook import VARIABLE
from fuzz.planted.outcome import edit_of
from targets import registry
from targets.errors import UsageError
from targets.http.api import HttpApi
from targets.http.dialects import dialect_named
from targets.http.dialects.model import Json
from targets.http.openapi import document
from targets.http.process import ServerCommand, start

PATIENCE = 8.0
"""On a busy machine, or waiting for a server that hangs, a hunt may take this many times its processor time."""
_TICK = 0.1
_ANSWERING = 5
"""Seconds that Schemathesis waits for an answer: as many as our client."""


def hunt_by_schema(plan: HuntPlan) -> Hunt:
    """Run Schemathesis until it reports a failure that is not in `plan.excused`, or time is up.

    With `plan.plain` no bug is planted, and all failures are gathered. Raises `UsageError` if it does not run.
    """
    target = registry.find(plan.bug.target)
    if target.api is None:
        raise UsageError(f"Schemathesis tests servers, and target {target.name!r} is none.")
    edit = {} if plan.plain else {VARIABLE: msgspec.json.encode(edit_of(plan.bug)).decode()}
    command = shlex.join([sys.executable, "-m", "fuzz.bench.planted.serve"]) + " {port}"
    server = start(ServerCommand(command, environment=tuple(edit.items())))
    try:
        with TemporaryDirectory(prefix="inferfuzz-schemathesis-") as folder:
            return _search(plan, target.api, server.address.url, Path(folder))
    finally:
        server.stop()


def published(target_api: HttpApi) -> Json:
    """The document of a dialect as this server would publish it: with its model's name, and strict about fields."""
    found = document((dialect_named(target_api.dialect),), target_api.limits)
    for operations in found["paths"].values():
        body = operations.get("post", {}).get("requestBody")
        if body:
            schema = _closed(body["content"]["application/json"]["schema"])
            schema["properties"]["model"] = {"enum": [target_api.limits.model]}
            body["content"]["application/json"]["schema"] = schema
    return found


def _closed(schema: Json) -> Json:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(inner) for name, inner in schema.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def _search(plan: HuntPlan, api: HttpApi, url: str, folder: Path) -> Hunt:
    (folder / "openapi.json").write_text(json.dumps(published(api)))
    events = folder / "events.ndjson"
    process = subprocess.Popen(
        [*_command(plan, api), "--url", url, "--report-ndjson-path", str(events)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return _Watch(plan).follow(process, events)
    finally:
        process.kill()
        process.wait()


def _command(plan: HuntPlan, api: HttpApi) -> list[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", "openapi.json"]
    command += ["--seed", str(plan.seed + 1), "--continue-on-failure", "--max-examples", "100000"]
    command += ["--max-time", str(int(PATIENCE * plan.seconds)), "--request-timeout", str(_ANSWERING)]
    for name, value in dialect_named(api.dialect).headers:
        command += ["--header", f"{name}:{value}"]
    return command


class _Watch:
    """Follows the events of one run."""

    def __init__(self, plan: HuntPlan) -> None:
        self._plan = plan
        self._began = time.monotonic()
        self._spent: float | None = None
        self._executions = 0
        self._reported: dict[str, None] = {}

    def follow(self, process: subprocess.Popen[bytes], events: Path) -> Hunt:
        """What it came to. Raises `UsageError` if it never began."""
        lines = _lines(events)
        while process.poll() is None and not self._over():
            time.sleep(_TICK)
            if self._read(lines):
                return self._hunt(found=True)
        if self._read(lines):
            return self._hunt(found=True)
        if self._spent is None:
            raise UsageError("Schemathesis did not run; pip install 'inferfuzz[server]'.")
        return self._hunt(found=False)

    def _over(self) -> bool:
        spent = 0.0 if self._spent is None else processor_seconds() - self._spent
        return spent >= self._plan.seconds or time.monotonic() - self._began > PATIENCE * self._plan.seconds + 30.0

    def _read(self, lines: Iterator[bytes]) -> bool:
        """Take in the events since the last look; whether one of them counts as a find."""
        for line in lines:
            if not line:
                break
            (kind, event), *_ = json.loads(line).items()
            if kind == "EngineStarted":
                self._spent = processor_seconds()
            recorder = event.get("recorder") or {}
            self._executions += len(recorder.get("cases", {}))
            self._reported |= dict.fromkeys(_failures(kind, event, recorder))
        return not self._plan.plain and bool(self._new)

    @property
    def _new(self) -> list[str]:
        return [name for name in self._reported if name not in self._plan.excused]

    def _hunt(self, *, found: bool) -> Hunt:
        return Hunt(
            bug=self._plan.bug.id,
            engine=self._plan.engine,
            seed=self._plan.seed,
            found=found,
            signature=self._new[0] if found else "",
            executions=self._executions,
            cpu_seconds=processor_seconds() - (self._spent or 0.0),
            seconds=time.monotonic() - self._began,
            requests=1 if found else 0,
            findings=len(self._new) if found else 0,
            reported=tuple(self._reported),
        )


def _lines(path: Path) -> Iterator[bytes]:
    """Whole lines of a file that grows; an empty one whenever there is nothing more for now."""
    rest = b""
    while not path.exists():
        yield b""
    with path.open("rb") as file:
        while True:
            rest += file.readline()
            if rest.endswith(b"\n"):
                yield rest
                rest = b""
            else:
                yield b""


def _failures(kind: str, event: dict[str, Any], recorder: dict[str, Any]) -> Iterator[str]:
    """`schemathesis/not_a_server_error POST /v1/completions`."""
    for checks in recorder.get("checks", {}).values():
        for check in checks:
            if check.get("status") == "failure":
                yield f"schemathesis/{check['name']} {recorder.get('label', '')}"
    if kind == "NonFatalError":
        yield f"schemathesis/error {event.get('label', '')}"
