"""A plain loop of fresh cases, as campaigns draw them, on one server without containment: for figures and faults.

`python -m fuzz.bench.servers.hunt TARGET SECONDS SEED` writes a line of JSON for every new kind of
violation, then a summary. The seconds are those of CPU.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import msgspec

from fuzz.campaign.spaces import space_for
from fuzz.engines.stage import dealt
from fuzz.lab.servers import ServerBench
from fuzz.properties.model import Cost, Property, Violation
from fuzz.properties.registry import properties
from targets import registry
from targets.contract import Target, TargetKind
from targets.http.case import HttpCase


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """The first violation of a kind."""

    violation: Violation
    case: HttpCase
    cases: int
    seconds: float
    cpu: float
    """Seconds of CPU that client and server used since the loop began."""


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag="summary"):
    """What the loop did."""

    target: str
    cases: int
    seconds: float
    cpu: float
    checked: dict[str, int]
    """Property code to the number of cases it judged."""
    failing: int
    """Cases with a violation."""
    requests: int
    """Requests sent, those of properties and health checks included."""
    kinds: int
    """Different signatures of violations."""


def hunt(target: Target, seconds: float, seed: int, *, busy: bool = False) -> Iterator[Found | Summary]:
    """Judge random cases for so many seconds: by all observing properties, and by relating ones in turn.

    With `busy` they are seconds of CPU of client and server, for a machine that does other things as well.
    """
    bench = ServerBench(target, "cpu", "float32", {})
    generator = random.Random(seed)
    space = space_for(target)
    known: set[str] = set()
    checked: Counter[str] = Counter()
    started, used, cases, failing = time.monotonic(), _cpu(bench), 0, 0
    try:
        while (_cpu(bench) - used if busy else time.monotonic() - started) < seconds:
            case = cast("HttpCase", dealt(space, generator) or space.generate(generator))
            verdict = bench.judge(case, _chosen(generator, case))
            cases += 1
            failing += bool(verdict.violations)
            checked.update(verdict.checked)
            for violation in verdict.violations:
                if violation.signature not in known:
                    known.add(violation.signature)
                    spent, passed = _cpu(bench) - used, time.monotonic() - started
                    yield Found(violation=violation, case=case, cases=cases, seconds=passed, cpu=spent)
        spent = _cpu(bench) - used
    finally:
        bench.close()
    yield Summary(
        target=target.name,
        cases=cases,
        seconds=time.monotonic() - started,
        cpu=spent,
        checked=dict(checked),
        failing=failing,
        requests=bench.server.client.traffic.requests,
        kinds=len(known),
    )


def _cpu(bench: ServerBench) -> float:
    """Of this process, of servers that have ended, and of the one that runs in a process of its own."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = bench.server.process
    return time.process_time() + ended.ru_utime + ended.ru_stime + (process.cpu_seconds() if process else 0.0)


def _chosen(generator: random.Random, case: HttpCase) -> list[Property]:
    applicable = properties(TargetKind.HTTP)
    chosen = [found for found in applicable if found.cost is Cost.OBSERVES]
    malformed = any(exchange.defect is not None for exchange in case.exchanges)
    turn = [found for found in applicable if found.cost is Cost.RELATES and found.malformed is malformed]
    if len(case.exchanges) > 1:
        turn = [found for found in turn if found.code == "H11"] * 3 + turn
    return [*chosen, *([generator.choice(turn)] if turn else [])]


def main(arguments: list[str]) -> None:
    """Run the loop as the command line says."""
    name, seconds, seed = arguments
    for event in hunt(registry.find(name), float(seconds), int(seed), busy=True):
        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
