"""Judging servers: the lab behind the interface that the worker entry uses for every kind of target."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from fuzz.lab.server_lab import HEALTH, HttpLab
from fuzz.properties.model import Property, Verdict, Violation
from targets.codec import encode
from targets.contract import Target
from targets.http.case import HttpCase
from targets.http.client import perform
from targets.http.server import Server


class ServerBench:
    """Judges HTTP cases on one target."""

    case_type: type[Any] = HttpCase

    def __init__(self, target: Target, device: str, dtype: str, measured: dict[str, float]) -> None:
        del measured
        self.server: Server = target.open(target.load(device, dtype))
        """The server in hand."""
        self._lab = HttpLab(self.server)
        self.probe: object = self.server

    def judge(self, case: HttpCase, chosen: Sequence[Property]) -> Verdict:
        """Judge one case; a server of ours that it killed is restarted afterwards."""
        verdict = judge(self._lab, case, chosen)
        process = self.server.process
        if process is not None and not process.is_alive:
            return self._after_death(verdict)
        return verdict

    def calibrate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Nothing is measured: answers of a server are compared exactly."""
        return {}, {}

    def close(self) -> None:
        """End the server if it is ours."""
        self.server.close()

    def _after_death(self, verdict: Verdict) -> Verdict:
        """Restart, then replay the last cases one by one, the latest first, until one kills the server again."""
        suspects = tuple(reversed(self._lab.recent))
        for suspect in suspects:
            self._restart()
            perform(self.server.client, suspect)
            time.sleep(0.1)
            process = self.server.process
            if process is not None and not process.is_alive:
                self._restart()
                return msgspec.structs.replace(verdict, literal=encode(suspect))
        self._restart()
        return verdict

    def _restart(self) -> None:
        process = self.server.process
        assert process is not None
        fresh = process.restart()
        self.server = replace(self.server, process=fresh, stop=fresh.stop)
        self._lab.server = self.server


def judge(lab: HttpLab, case: HttpCase, chosen: Sequence[Property]) -> Verdict:
    """The verdict of these properties on a case; the health check comes last."""
    lab.begin(case)
    violations: list[Violation] = []
    checked: list[str] = []
    vacuous: list[str] = []
    for found in sorted(chosen, key=lambda one: one.code == HEALTH):
        looked = lab.tally.looked
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
        features=lab.features(),
    )
