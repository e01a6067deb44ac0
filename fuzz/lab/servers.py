"""Judging servers: the lab behind the interface that the worker entry uses for every kind of target."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from fuzz.lab.server_lab import HEALTH, HttpLab
from fuzz.properties.model import Cost, Property, Verdict, Violation
from targets.codec import encode
from targets.contract import Target
from targets.http.address import Address
from targets.http.case import Exchange, HttpCase
from targets.http.client import perform
from targets.http.rendering import replay_command
from targets.http.resources import capabilities_of
from targets.http.server import Server

PROVING = 30.0
"""Seconds that proving which request killed a server may take; a slow server takes seconds for each restart."""
WOUNDS = frozenset({"H2", HEALTH, "H12"})
"""Codes of properties after whose violation a server is not to be trusted with the next case."""
DEADLY = frozenset({HEALTH, "H1"})
"""Codes of properties whose violations a death explains: the canary fails, connections drop."""
_LINGERING = 0.1
"""Seconds after the reply within which a request that kills has killed."""


class ServerBench:
    """Judges HTTP cases on one target."""

    case_type: type[Any] = HttpCase

    def __init__(self, target: Target, device: str, dtype: str, measured: dict[str, float]) -> None:
        del measured
        self.server: Server = target.open(target.load(device, dtype))
        """The server in hand."""
        self._lab = HttpLab(self.server)
        self.probe: object = capabilities_of(self.server)

    def judge(self, case: HttpCase, chosen: Sequence[Property]) -> Verdict:
        """Judge one case; a server of ours that it killed is restarted afterwards, and so is one that it wounded."""
        verdict = judge(self._lab, case, chosen)
        process = self.server.process
        if process is None:
            return verdict
        if not process.is_alive:
            return self._after_death(verdict, process.obituary())
        if any(violation.code in WOUNDS for violation in verdict.violations):
            self._restart()
        return verdict

    def calibrate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Nothing is measured: answers of a server are compared exactly."""
        return {}, {}

    def schema(self) -> bytes:
        """The server's own OpenAPI document; empty if it offers none."""
        return self.server.schema()

    def close(self) -> None:
        """End the server if it is ours."""
        self.server.close()

    def _after_death(self, verdict: Verdict, obituary: str) -> Verdict:
        """The verdict with the death in the first place, and the guilty request, if one can be proven."""
        guilty = self._guilty()
        self._restart()
        address = self.server.client.address
        others = tuple(violation for violation in verdict.violations if violation.code not in DEADLY)
        found = msgspec.structs.replace(verdict, violations=(death(obituary, guilty, address), *others))
        return msgspec.structs.replace(found, literal=encode(guilty)) if guilty else found

    def _guilty(self) -> HttpCase | None:
        """Of the last cases the one that kills a fresh server by itself, down to one exchange if one is enough."""
        until = time.monotonic() + PROVING
        for suspect in reversed(self._lab.recent):
            if time.monotonic() > until:
                return None
            if self._kills(suspect):
                singles = [HttpCase(dialect=suspect.dialect, exchanges=(one,)) for one in _unshared(suspect)]
                return next((one for one in reversed(singles) if self._kills(one)), suspect)
        return None

    def _kills(self, case: HttpCase) -> bool:
        self._restart()
        perform(self.server.client, case)
        time.sleep(_LINGERING)
        process = self.server.process
        return process is not None and not process.is_alive

    def _restart(self) -> None:
        process = self.server.process
        assert process is not None
        fresh = process.restart()
        self.server = replace(self.server, process=fresh, stop=fresh.stop)
        self._lab.server = self.server


def death(how: str, guilty: HttpCase | None, address: Address) -> Violation:
    """The violation that a server's death is. `how` is its obituary; `guilty` the case that killed it, if proven."""
    how, _, output = how.partition("\n")
    said = {"output": output} if output else {}
    if guilty is None:
        message = f"the server died ({how}), and no single one of the last cases kills it again"
        return Violation(code=HEALTH, slug="server-died", message=message, evidence=dict(said))
    commands = [replay_command(exchange, address) for exchange in guilty.exchanges]
    whose = "this request kills it" if len(commands) == 1 else f"these {len(commands)} requests kill it"
    message = f"the server died ({how}); sent to a fresh server, {whose} again"
    before = {f"before-{at}": command for at, command in enumerate(commands[:-1], 1)}
    return Violation(
        code=HEALTH, slug="server-died", message=message, evidence={"replay": commands[-1], **before, **said}
    )


def _unshared(case: HttpCase) -> tuple[Exchange, ...]:
    """The exchanges of a case of several, each on a connection of its own."""
    several = case.exchanges if len(case.exchanges) > 1 else ()
    return tuple(msgspec.structs.replace(exchange, reuse=False) for exchange in several)


def judge(lab: HttpLab, case: HttpCase, chosen: Sequence[Property]) -> Verdict:
    """The verdict of these properties on a case; the health check comes last."""
    lab.begin(case)
    violations: list[Violation] = []
    checked: list[str] = []
    vacuous: list[str] = []
    for found in sorted(chosen, key=lambda one: one.code == HEALTH):
        looked = lab.tally.looked
        if not lab.has_time and found.cost is Cost.RELATES:
            continue
        violations += [one for one in found.check(lab, case) if not lab.family.excuses(one.signature)]
        (checked if lab.tally.looked > looked else vacuous).append(found.code)
    first: dict[str, Violation] = {}
    for violation in violations:
        first.setdefault(violation.signature, violation)
    return Verdict(
        violations=tuple(sorted(first.values(), key=lambda one: (len(one.code), one.code))),
        checked=tuple(checked),
        vacuous=tuple(vacuous),
        compared=lab.tally.compared,
        excused=lab.tally.excused,
        features=lab.features(),
    )
