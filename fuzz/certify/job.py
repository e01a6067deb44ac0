"""The process that certifies: plan on standard input, events as JSON lines on standard output.

It imports the target's module and starts the contained workers; whoever started it may end its whole group at any time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import msgspec

from fuzz.campaign.units import units_of
from fuzz.certify.fingerprint import code_fingerprint
from fuzz.certify.model import Began, CertifyPlan, Done, Event, Opened, Refused, Reply, Status, Step
from fuzz.certify.worker import ENTRY, WEDGE, Setup, steps_of
from fuzz.contain.errors import ContainmentError
from fuzz.contain.outcome import EFFECTS, Fate, Outcome
from fuzz.contain.supervisor import Supervisor
from fuzz.judge import versions_of
from targets import registry
from targets.contract import Target
from targets.errors import UsageError

DEADLINE = "deadline"
"""Name of the step that this process adds to those of the workers."""
SHORT = 0.5
"""Seconds after which the wedged call must have been ended."""


def main() -> None:
    """Certify what the plan on standard input says."""
    events = os.fdopen(os.dup(1), "wb", buffering=0)
    # Whatever the target prints must not be taken for an event.
    os.dup2(2, 1)
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=CertifyPlan)
    for event in run(plan):
        events.write(msgspec.json.encode(event) + b"\n")


def run(plan: CertifyPlan) -> Iterator[Event]:
    """Try every step on every device; the last event may be `Refused`."""
    end = time.monotonic() + plan.limit
    try:
        units = units_of((plan.target,), plan.devices, (plan.dtype,) if plan.dtype else ())
        target = registry.find(plan.target)
        yield Opened(
            units=tuple((unit.device, unit.dtype) for unit in units),
            steps=(*steps_of(target.kind).STEPS, DEADLINE),
            code=code_fingerprint(target.modules),
            versions=versions_of(target),
        )
        for unit in units:
            yield from _certify(target, Setup(target=plan.target, device=unit.device, dtype=unit.dtype), end)
    except (UsageError, ContainmentError) as error:
        yield Refused(message=str(error))


def _certify(target: Target, setup: Setup, end: float) -> Iterator[Event]:
    proofs: dict[str, str] = {}
    with Supervisor(
        ENTRY,
        msgspec.json.encode(setup),
        start_deadline=_left(end),
        imports=(*target.requires, "fuzz.certify.worker"),
        # The address space of an accelerator's process is huge; the time limit ends whatever grows without bound.
        memory=None,
        tolerated=EFFECTS,
    ) as supervisor:
        for name in steps_of(target.kind).STEPS:
            yield Began(device=setup.device, step=name)
            outcome = supervisor.call(name.encode(), deadline=_left(end))
            done = _done(setup.device, name, outcome, proofs)
            yield done
            if name == "load" and done.step.status is Status.FAILED:
                return
        yield Began(device=setup.device, step=DEADLINE)
        yield Done(device=setup.device, step=_deadline(supervisor, end, proofs))


def _done(device: str, name: str, outcome: Outcome, proofs: dict[str, str]) -> Done:
    if outcome.reply is None:
        detail = f"{outcome.fate}: {outcome.error_type} {outcome.message}".strip()
        step = Step(name=name, status=Status.FAILED, seconds=outcome.seconds, detail=_with_stack(detail, outcome))
        return Done(device=device, step=step)
    reply = msgspec.json.decode(outcome.reply, type=Reply)
    proofs[name] = reply.proof
    step = Step(name=name, status=reply.status, seconds=outcome.seconds, detail=reply.detail)
    return Done(device=device, step=step, model=reply.model)


def _with_stack(detail: str, outcome: Outcome) -> str:
    return f"{detail}\n{outcome.stack.strip()}" if outcome.stack.strip() else detail


def _deadline(supervisor: Supervisor, end: float, proofs: dict[str, str]) -> Step:
    """A call that never ends is ended, and a fresh worker answers the canary as before."""
    started = time.perf_counter()
    outcome = supervisor.call(WEDGE.encode(), deadline=min(SHORT, _left(end)))
    if outcome.fate is not Fate.HUNG:
        status, detail = Status.FAILED, f"a call that never ends came to: {outcome.fate} {outcome.message}".strip()
    elif not proofs.get("canary"):
        status, detail = Status.PASSED, f"ended after {outcome.seconds:.2f} s"
    else:
        found: dict[str, str] = {}
        again = _done("", "canary", supervisor.call(b"canary", deadline=_left(end)), found)
        same = found.get("canary") == proofs["canary"]
        status = Status.PASSED if same else Status.FAILED
        says = "answers the canary alike" if same else f"answers the canary otherwise: {again.step.detail}"
        detail = f"ended after {outcome.seconds:.2f} s; a fresh worker {says}"
    return Step(name=DEADLINE, status=status, seconds=time.perf_counter() - started, detail=detail)


def _left(end: float) -> float:
    return max(0.05, end - time.monotonic())


if __name__ == "__main__":
    main()
