"""Entry of the contained worker that tries the steps: a step's name in, a JSON `Reply` out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import msgspec

from fuzz.certify.fingerprint import model_fingerprint
from fuzz.certify.model import Reply, Status
from fuzz.certify.subject import NotApplicable, StepFailed, Subject
from targets import registry
from targets.contract import TargetKind

ENTRY = "fuzz.certify.worker:serve"
WEDGE = "wedge"
"""Not a step: a call that never ends, for the deadline."""

KINDS = {
    TargetKind.EXECUTOR: "fuzz.certify.executors",
    TargetKind.GRAPH: "fuzz.certify.graphs",
    TargetKind.HTTP: "fuzz.certify.servers",
}
"""Kind of target to the module with its `STEPS` and its `WEDGE`."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What to try."""

    target: str
    device: str
    dtype: str


def steps_of(kind: TargetKind) -> Any:
    """The module with the steps for a kind of target."""
    return importlib.import_module(KINDS[kind])


def serve(argument: bytes) -> Callable[[bytes], bytes]:
    """Find the target; the model is loaded by the first step. Raises `UsageError` for an unknown target."""
    setup = msgspec.json.decode(argument, type=Setup)
    target = registry.find(setup.target)
    subject = Subject(target, setup.device, setup.dtype)
    steps = steps_of(target.kind)

    def answer(payload: bytes) -> bytes:
        name = payload.decode()
        if name == WEDGE:
            steps.WEDGE(subject)
        return msgspec.json.encode(_try(steps.STEPS[name], subject, named=name == "load"))

    return answer


def _try(step: Callable[[Subject], Any], subject: Subject, *, named: bool) -> Reply:
    try:
        proof = step(subject)
    except StepFailed as failure:
        return Reply(status=Status.FAILED, detail=str(failure))
    except NotApplicable as reason:
        return Reply(status=Status.NOT_APPLICABLE, detail=str(reason))
    model = model_fingerprint(subject.model) if named else ""
    return Reply(status=Status.PASSED, detail=proof.detail, proof=proof.proof, model=model)
