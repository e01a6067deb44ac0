"""Targets that fail a certification in one way each."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import msgspec

from targets.contract import Output, Request
from targets.scripted import TARGET, Script, ScriptedExecutor


class Drifting(ScriptedExecutor):
    """Every executor answers otherwise than the one before."""

    count = 0

    def __init__(self, script: Script, **knobs: Any) -> None:
        Drifting.count += 1
        super().__init__(msgspec.structs.replace(script, answer=(Drifting.count, 5)), **knobs)


class Credulous(ScriptedExecutor):
    """Accepts tokens beyond its vocabulary."""

    def submit(self, request: Request) -> None:
        super().submit(msgspec.structs.replace(request, prompt=tuple(token % 256 for token in request.prompt)))


class Dying(ScriptedExecutor):
    """Ends its process at the third step, with the exit code of success."""

    steps = 0

    def step(self) -> list[Output]:
        self.steps += 1
        if self.steps == 3:
            os._exit(0)
        return super().step()


class Endless(ScriptedExecutor):
    """Its second step never returns."""

    steps = 0

    def step(self) -> list[Output]:
        self.steps += 1
        while self.steps == 2:
            pass
        return super().step()


class Reluctant(ScriptedExecutor):
    """Does not know what an abort is."""

    def abort(self, request_id: str) -> None:
        pass


def _refuse(_device: str, _dtype: str) -> Script:
    raise FileNotFoundError("weights.safetensors")


DRIFTING = replace(TARGET, name="drifting", open=Drifting)
CREDULOUS = replace(TARGET, name="credulous", open=Credulous)
DYING = replace(TARGET, name="dying", open=Dying)
ENDLESS = replace(TARGET, name="endless", open=Endless)
RELUCTANT = replace(TARGET, name="reluctant", open=Reluctant)
UNLOADABLE = replace(TARGET, name="unloadable", load=_refuse)
