"""Entry of a contained worker: makes a lab for a target once, then judges case after case.

The argument and every call are JSON (`Setup`, `Call`); the reply is a JSON `Verdict`, or a `Description`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from fuzz.properties.model import Property, Verdict
from fuzz.properties.registry import Applicability, applicable, capability_names, find
from targets import registry
from targets.contract import Target, TargetKind

ENTRY = "fuzz.judge:serve"


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to judge."""

    target: str
    """Name, or `module:attribute`."""
    device: str = "cpu"
    dtype: str = "float32"
    codes: tuple[str, ...] | None = None
    """Properties that may be asked for; None is every applicable one."""
    measured: dict[str, float] = {}
    """Calibration of an earlier worker (`Description.measured`), so that this one need not repeat it."""


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One case to judge, or the wish for a description."""

    case: msgspec.Raw = msgspec.Raw(b"")
    codes: tuple[str, ...] | None = None
    """Properties to judge by, beside those that only observe; None is all of the setup."""
    describe: bool = False


class Description(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What can be judged here."""

    target: str
    device: str
    dtype: str
    kind: TargetKind
    capabilities: tuple[str, ...]
    observing: tuple[str, ...]
    """Codes of the applicable properties that run on every case."""
    relating: tuple[str, ...]
    """Codes of the applicable properties that are run when asked for."""
    missing: dict[str, str]
    """Code to the reason why a property is not applicable."""
    measured: dict[str, float] = {}
    """Kind of path pair to the largest difference in its calibration."""
    eps: dict[str, float] = {}
    versions: dict[str, str] = {}
    schema: bytes = b""
    """OpenAPI document of a server that offers one."""


class Bench(Protocol):
    """What a kind of target is judged with."""

    case_type: type[Any]
    probe: object
    """An instance of what is tested, to tell its capabilities."""

    def judge(self, case: Any, chosen: Sequence[Property]) -> Verdict:
        """Judge one case."""

    def calibrate(self) -> tuple[dict[str, float], dict[str, float]]:
        """Measured differences and eps, by kind of path pair."""


@runtime_checkable
class OffersSchema(Protocol):
    """A bench of servers, which may describe themselves."""

    def schema(self) -> bytes:
        """OpenAPI document of the server that is tested; empty if there is none."""


BENCHES: dict[TargetKind, str] = {
    TargetKind.EXECUTOR: "fuzz.lab.bench:ExecutorBench",
    TargetKind.GRAPH: "fuzz.lab.graph_bench:GraphBench",
    TargetKind.HTTP: "fuzz.lab.servers:ServerBench",
}
"""Kind of target to the class that is made from (target, device, dtype, measured)."""


def serve(argument: bytes) -> Callable[[bytes], bytes]:
    """Load the target and return the function that judges calls.

    Raises `UsageError` for an unknown target or property, and whatever loading the model raises.
    """
    setup = msgspec.json.decode(argument, type=Setup)
    judge = Judge(registry.find(setup.target), setup)
    return judge.answer


class Judge:
    """A bench and the properties that apply to it."""

    def __init__(self, target: Target, setup: Setup) -> None:
        module, _, name = BENCHES[target.kind].partition(":")
        self._bench: Bench = getattr(importlib.import_module(module), name)(
            target, setup.device, setup.dtype, setup.measured
        )
        self._setup = setup
        self._target = target
        self._capabilities = capability_names(self._bench.probe, target.kind)
        self._applicability = _restricted(applicable(target, self._capabilities), setup.codes)
        self._by_code = {found.code: found for found in self._applicability.applicable}
        self._observing = tuple(found for found in self._applicability.applicable if found.cost == "observes")
        self._calls = msgspec.json.Decoder(Call)
        self._cases = msgspec.json.Decoder(self._bench.case_type)
        self._encode = msgspec.json.Encoder().encode

    def answer(self, payload: bytes) -> bytes:
        """The encoded verdict (or description) for an encoded call.

        Raises `msgspec.ValidationError` for a call or case that does not decode.
        """
        call = self._calls.decode(payload)
        if call.describe:
            return self._encode(self.describe())
        return self._encode(self._bench.judge(self._cases.decode(call.case), self._chosen(call.codes)))

    def describe(self) -> Description:
        """What can be judged here. Calibrates, so it takes a moment."""
        measured, eps = self._bench.calibrate()
        return Description(
            target=self._target.name,
            device=self._setup.device,
            dtype=self._setup.dtype,
            kind=self._target.kind,
            capabilities=self._capabilities,
            observing=tuple(found.code for found in self._observing),
            relating=tuple(code for code, found in self._by_code.items() if found.cost != "observes"),
            missing=self._applicability.missing,
            measured=measured,
            eps=eps,
            versions=versions_of(self._target),
            schema=self._bench.schema() if isinstance(self._bench, OffersSchema) else b"",
        )

    def _chosen(self, codes: tuple[str, ...] | None) -> tuple[Property, ...]:
        if codes is None:
            return self._applicability.applicable
        asked = [self._by_code[code] for code in codes if code in self._by_code]
        return (*self._observing, *(found for found in asked if found.cost != "observes"))


def _restricted(found: Applicability, codes: tuple[str, ...] | None) -> Applicability:
    if codes is None:
        return found
    wanted = {find(code).code for code in codes}
    kept = tuple(one for one in found.applicable if one.code in wanted)
    return Applicability(kept, {code: why for code, why in found.missing.items() if code in wanted})


def versions_of(target: Target) -> dict[str, str]:
    """Versions of inferfuzz, of Python, and of what the target requires."""
    names = ("inferfuzz", "numpy", *target.requires)
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
