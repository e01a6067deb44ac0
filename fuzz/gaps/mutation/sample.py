"""A quick sample: some mutants that the baseline has as noticed, which must be noticed still.

It watches over the tests, not over the code under test: a property, a strategy's seed or a comparison that became
weaker shows up here within seconds. Functions that changed since the baseline are left to a full run, for nobody knows
yet which of their mutants can be noticed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence

import msgspec

from fuzz.gaps.collect import Listener
from fuzz.gaps.mutation import noticed
from fuzz.gaps.mutation.model import FunctionRecord, MutationReport
from fuzz.gaps.mutation.mutate import MutatePlan, baseline_of, read_baseline, replay_of, report_of, scratch
from fuzz.gaps.mutation.noticed import Notice
from fuzz.gaps.mutation.run import make_mutants, read_meta, read_mutants, run_sample
from fuzz.gaps.mutation.stage import stage
from fuzz.gaps.report import modules_of
from fuzz.judge import Setup
from targets import registry
from targets.errors import UsageError


def sample(plan: MutatePlan, most: int, seed: int, listener: Listener) -> MutationReport:
    """Draw at most so many mutants, by the seed, and test them, each first by the case that noticed it.

    Raises `UsageError` without a baseline, and where the clean run fails.
    """
    started = time.monotonic()
    before = read_baseline(baseline_of(plan))
    if before is None or not before.functions:
        raise UsageError(
            f"There is no baseline to draw a sample from: {baseline_of(plan)} is missing or holds no noticed mutant. "
            f"Make one with `inferfuzz mutate {plan.target} --accept`."
        )
    target = registry.find(plan.target)
    modules, _ = modules_of(target, plan.root, plan.configuration, plan.tiers)
    tiers = {module.imported: module.tier for module in modules}
    drawn = draw([record for record in before.functions if record.path in tiers], most, seed)
    paths = sorted({record.path for record, _ in drawn})
    replay, notes = replay_of(plan, target)
    folder = scratch(plan, ".sample")
    setup = Setup(target=plan.target, device=replay.device, dtype=replay.dtype)
    stage(folder, target.modules, paths, replay, setup, target.kind)
    make_mutants(folder, children=plan.children)
    kept, changed = _unchanged(drawn, {path: read_meta(folder, path).hash_by_function_name for path in paths})
    (folder / noticed.LOG).write_bytes(b"".join(msgspec.json.encode(notice) + b"\n" for notice in kept))
    codes = run_sample(folder, listener, children=plan.children, names=[one.mutant for one in kept]) if kept else {}
    mutants = read_mutants(folder, tiers, codes)
    report = report_of(plan, target, mutants, cases=len(replay.cases), started=started)
    lost = len(report.survivors)
    return msgspec.structs.replace(
        report,
        reasons=(f"{lost} of {len(mutants)} mutants that were noticed in the baseline are not now",) if lost else (),
        notes=(*notes, *(f"{name} changed since the baseline; its mutants are left to a full run" for name in changed)),
    )


def draw(records: Sequence[FunctionRecord], most: int, seed: int) -> list[tuple[FunctionRecord, Notice]]:
    """So many noticed mutants, or all if there are fewer; equal for equal seeds."""
    everything = [(record, notice) for record in records for notice in _notices(record)]
    return random.Random(seed).sample(everything, min(most, len(everything)))


def _notices(record: FunctionRecord) -> Iterator[Notice]:
    for case, numbers in record.noticed.items():
        for number in numbers.split():
            yield Notice(f"{record.name}__mutmut_{number}", case)


def _unchanged(
    drawn: Sequence[tuple[FunctionRecord, Notice]], digests: dict[str, dict[str, str]]
) -> tuple[list[Notice], list[str]]:
    kept: list[Notice] = []
    changed: dict[str, None] = {}
    for record, notice in drawn:
        if digests[record.path].get(record.name.rpartition(".")[2]) == record.digest:
            kept.append(notice)
        else:
            changed[record.name] = None
    return kept, [*changed]
