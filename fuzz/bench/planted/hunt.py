"""A hunt process: plants one bug and runs a campaign's job on it until the bug is found and shrunk, or time is up.

Reads its plans (a list of `HuntPlan` that differ only in the seed, JSON) from standard input and writes what each came
to (`Hunt`) as a JSON line; where the bug was not found, a second line follows that says how far it got.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from fuzz.bench.planted.model import Hunt, HuntPlan, Reach
from fuzz.bench.planted.rivals import SCHEMATHESIS, engine_of
from fuzz.bench.planted.spent import processor_seconds
from fuzz.bench.planted.watch import WatchedHarness
from fuzz.campaign.harness import ContainedHarness
from fuzz.campaign.spaces import CampaignSpace, space_for
from fuzz.contain.errors import ContainmentError
from fuzz.corpus.store import load, shipped_seeds
from fuzz.engines.model import Case, Failed, Plan, Trial
from fuzz.findings.model import Finding
from fuzz.findings.regression import promoted
from fuzz.findings.replay import Replay, replay, tries
from fuzz.findings.triage import Context, Triage
from fuzz.planted.fresh import forget
from fuzz.planted.hook import VARIABLE, install
from fuzz.planted.model import Witness
from fuzz.planted.outcome import edit_of, outcomes
from fuzz.planted.reach import arms_of
from fuzz.probes.sources import find_sources
from targets.errors import UsageError

PATIENCE = 8.0
"""On a busy machine, or waiting for a server that hangs, a hunt may take this many times its processor time."""


def main() -> None:
    """Hold the hunts that standard input describes."""
    results = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    plans = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[HuntPlan, ...])
    spent = dict.fromkeys((plan.seed for plan in plans), 0.0)
    before = 0.0
    try:
        for hunt in hold(plans):
            now = processor_seconds()
            spent[hunt.seed] += now - before
            before = now
            results.write(msgspec.json.encode(msgspec.structs.replace(hunt, whole_cpu=spent[hunt.seed])) + b"\n")
    except (UsageError, ContainmentError) as error:
        for plan in plans:
            hunt = Hunt(bug=plan.bug.id, seed=plan.seed, problem=str(error))
            results.write(msgspec.json.encode(hunt) + b"\n")


def hold(plans: Sequence[HuntPlan]) -> Iterator[Hunt]:
    """What each hunt came to, and again with how far the bug got if it was not found. Plants into this process."""
    if plans[0].engine == SCHEMATHESIS:
        from fuzz.bench.planted.schema_testing import hunt_by_schema

        yield from map(hunt_by_schema, plans)
        return
    bug = plans[0].bug
    edit = edit_of(bug)
    plain = _source_of(edit.module)
    finder = install(edit)
    os.environ[VARIABLE] = msgspec.json.encode(edit).decode()
    missed: list[tuple[Hunt, HuntPlan, Sequence[Case]]] = []
    with ContainedHarness(bug.target, "cpu", "float32") as harness:
        arms = arms_of(edit, plain, harness.plan)
        for plan in plans:
            harness.restart(plan.seed)
            watched = WatchedHarness(harness, arms)
            hunt, findings = _run(plan, harness, watched, known=bool(arms))
            if hunt.found:
                hunt = _replayed(hunt, harness, findings, plan.replays) if plan.replays else hunt
            else:
                missed.append((hunt, plan, watched.reaching))
            yield hunt
    finder.remove()
    for hunt, plan, reaching in missed:
        forget((*harness.target.modules, edit.module))
        yield msgspec.structs.replace(hunt, reach=_reach(plan, hunt, reaching))


def _run(
    plan: HuntPlan, harness: ContainedHarness, watched: WatchedHarness, *, known: bool
) -> tuple[Hunt, tuple[Finding, ...]]:
    """What it came to, and its findings."""
    space = space_for(harness.target, harness.plan.constants.integers)
    engine, searched = engine_of(plan.engine, space, harness.target)
    context = Context(plan.bug.target, "cpu", "float32", plan.engine, plan.seed, {})
    triage = Triage(
        harness, space.simplify, space.decode, context, space.neighbours, space.steady, shrinking=plan.shrinking
    )
    limit = PATIENCE * plan.seconds
    wanted = Plan(seed=plan.seed, seconds=limit, seeds=_seeds(space) if plan.corpus else ())
    first: Finding | None = None
    end, until = plan.seconds, limit
    for event in engine(watched, searched, wanted):
        if isinstance(event, Failed):
            trial = Trial(space.decode(event.case), event.outcome, event.verdict, event.codes)
            _take(triage, trial, watched, plan)
            if first is None and (first := _confirmed(triage)) is not None:
                end = watched.cpu_seconds() + plan.linger
                until = watched.seconds() + PATIENCE * plan.linger
        if watched.cpu_seconds() >= end or watched.seconds() >= until:
            break
    if not triage.findings and watched.failure is not None:
        # Hypothesis tells of a failure when it has shrunk it, for which there may have been no time left.
        _take(triage, watched.failure, watched, plan)
        first = _confirmed(triage)
    # What later failures told may have been merged into it.
    first = triage.findings.get(first.id, first) if first else None
    return _report(plan, watched, first, triage, known=known), tuple(triage.findings.values())


def _take(triage: Triage, trial: Trial, watched: WatchedHarness, plan: HuntPlan) -> None:
    until = time.monotonic() + max(5.0, PATIENCE * plan.seconds - watched.seconds())
    for _ in triage.take(trial, executions=watched.executions, seconds=watched.seconds(), until=until):
        pass


def _confirmed(triage: Triage) -> Finding | None:
    found = (one for one in triage.findings.values() if one.confirmation.attempts and not one.confirmation.flaky)
    return next(found, None)


def _replayed(hunt: Hunt, harness: ContainedHarness, findings: Sequence[Finding], times: int) -> Hunt:
    space = space_for(harness.target)
    replays: list[Replay] = []
    for finding in findings:
        case = space.decode(bytes(finding.case))
        allowed = tries(finding.confirmation, timed=space.depends_on_time(case))
        replays.append(replay(harness, case, promoted(finding), times, allowed))
    return msgspec.structs.replace(
        hunt,
        replays=times,
        repeated=min(one.same for one in replays),
        runs=max(one.runs for one in replays),
    )


def _report(plan: HuntPlan, watched: WatchedHarness, first: Finding | None, triage: Triage, *, known: bool) -> Hunt:
    hunt = Hunt(
        bug=plan.bug.id,
        seed=plan.seed,
        executions=watched.executions,
        cpu_seconds=watched.cpu_seconds(),
        seconds=watched.seconds(),
        flaky=sum(one.confirmation.flaky for one in triage.findings.values()),
        reached=watched.reached if known else None,
    )
    if first is None or watched.failed_at is None:
        return hunt
    executions, cpu_seconds, seconds = watched.failed_at
    return msgspec.structs.replace(
        hunt,
        found=True,
        signature=first.signature,
        executions=executions,
        cpu_seconds=cpu_seconds,
        seconds=seconds,
        requests=_size(first.case),
        case=bytes(first.case).decode(),
        findings=len(triage.findings),
        others=tuple(one.signature for one in triage.findings.values() if one.id != first.id),
    )


def _reach(plan: HuntPlan, hunt: Hunt, reaching: Sequence[Case]) -> Reach:
    """Runs cases in this process, with and without the bug."""
    if hunt.reached == 0:
        return Reach.NOT_REACHED
    for case in reaching:
        without, with_bug = outcomes(plan.bug, cast("Witness", case))
        # A server may sample without a seed: what differs without the bug as well says nothing.
        if without != with_bug and without == outcomes(plan.bug, cast("Witness", case))[0]:
            return Reach.NOT_NOTICED
    return Reach.UNKNOWN if hunt.reached is None else Reach.NOT_PROPAGATED


def _seeds(space: CampaignSpace) -> tuple[Case, ...]:
    entries = load(shipped_seeds()).entries
    return tuple(space.adapt(stored.case) for stored in entries if stored.entry.kind == space.kind)


def _size(case: msgspec.Raw) -> int:
    content = msgspec.json.decode(case)
    parts = next(content[name] for name in ("arrivals", "exchanges", "config") if name in content)
    return len(parts["nodes"] if isinstance(parts, dict) else parts)


def _source_of(module: str) -> str:
    (source,) = (one for one in find_sources([module]) if one.name == module)
    if source.problem:
        raise UsageError(f"Module {module!r}, into which a bug is to be planted, has no source: {source.problem}.")
    return source.data.decode()


if __name__ == "__main__":
    main()
