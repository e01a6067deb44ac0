"""Saved, restored and forked state: a detour leaves no trace, and a fork and its parent go their own ways."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.relation import relate, steady
from fuzz.lab.saving import Forking, Restoring
from fuzz.lab.tolerance import REPEAT
from fuzz.properties.executors.safety import lost_blocks, raised
from fuzz.properties.model import Violation
from fuzz.properties.registry import register
from targets.contract import Request, SavesState
from targets.domain import breaches
from targets.trace import Arrival, Trace

SEEDS = (1, 2, 3)
"""A near-tie may part two runs under one of these; a defect parts them under all."""
ANOTHER_SEED = 104_729


@register(
    "P34",
    "Save, restore and fork",
    sources=("CACHE-06", "GRAPH-03"),
    needs=(SavesState,),
    fields=("seed", "temperature"),
)
def save_restore_fork(lab: Lab, case: Trace) -> Iterator[Violation]:
    """A restored state goes on as if nothing had happened since it was saved, and a fork as its parent would.

    Before the second and before the middle step of the case the state is saved, up to 48 steps are run, and the state
    is restored: all results are those of the undisturbed run (bit for bit on the CPU). The case's first request of two
    tokens or more is drawn with a seed and forked in the middle: the fork draws what its parent draws; with another
    seed it draws the same whether its parent goes on or is aborted, and its parent draws as without it. That counts as
    broken if it fails under three seeds. Afterwards all blocks are free or cached.
    """
    if not lab.base.sound:
        return
    for step in sorted({1, lab.base.steps // 2}):
        restored = lab.run(case, around=partial(Restoring, step=step))
        lab.tally.looked += 1
        yield from _failed(restored)
        exact = lab.exact and steady(lab.base)
        for found in relate(lab, "P34", lab.base, restored, REPEAT, exact=exact):
            yield replace(found, slug=f"restored-{found.slug}")
    long = [
        a for a in lab.base.valid() if len(a.samples) == 1 and a.samples[0].complete and len(a.samples[0].tokens) > 1
    ]
    if long:
        yield from _forked(lab, case, long[0].request)


def _forked(lab: Lab, case: Trace, request: Request) -> Iterator[Violation]:
    broken: set[str] | None = None
    for seed in SEEDS:
        seen, failures = _one_fork(lab, case, _drawn(lab, request, seed))
        yield from failures
        broken = seen if broken is None else broken & seen
        if failures or not broken:
            return
    name = request.id
    for slug in sorted(broken or ()):
        message = f"{name}: {SENTENCES[slug]}, under each of {len(SEEDS)} seeds"
        yield Violation(code="P34", slug=slug, message=message, request_id=name)


SENTENCES = {
    "fork-differs": "a fork in the middle of it draws other tokens than the request itself",
    "parent-differs": "it draws other tokens after it was forked",
    "fork-sees-its-parent": "a fork under another seed draws other tokens when its parent is aborted",
}


def _one_fork(lab: Lab, case: Trace, request: Request) -> tuple[set[str], list[Violation]]:
    """Which of the relations fail for the request in place of the one of its id, and what failed otherwise."""
    plain = _with(case, request, None)
    alone = lab.record(plain)
    answer = alone.answers.get(request.id)
    if not alone.sound or answer is None or not answer.samples or len(set(answer.samples[0].steps)) < 2:
        return set(), []
    steps = answer.samples[0].steps
    step = steps[len(steps) // 2 - 1] + 1
    taken = sum(earlier < step for earlier in steps)
    twin = replace(request, id=f"{request.id}-fork")
    runs = [
        _run(lab, _with(case, request, Arrival(request=twin, step=step)), request.id, twin.id, None),
        _run(lab, _with(case, request, Arrival(request=twin, step=step)), request.id, twin.id, ANOTHER_SEED),
        _run(lab, _with(case, request, Arrival(request=twin, step=step), step), request.id, twin.id, ANOTHER_SEED),
    ]
    failures = [violation for run in runs for violation in _failed(run)]
    if failures or not all(run.sound for run in runs):
        return set(), failures
    lab.tally.looked += 1
    lab.tally.compared += 3
    same, other, lonely = runs
    expected = _tokens(alone, request.id)
    relations = {
        "fork-differs": _tokens(same, twin.id) != expected[taken:],
        "parent-differs": not (_tokens(same, request.id) == _tokens(other, request.id) == expected),
        "fork-sees-its-parent": _tokens(other, twin.id) != _tokens(lonely, twin.id),
    }
    return {slug for slug, parted in relations.items() if parted}, []


def _run(lab: Lab, trace: Trace, request_id: str, fork_id: str, seed: int | None) -> Recording:
    return lab.run(trace, around=partial(Forking, request_id=request_id, fork_id=fork_id, seed=seed))


def _drawn(lab: Lab, request: Request, seed: int) -> Request:
    """The request with draws that a seed fixes, at a temperature at which they differ."""
    warmth = request.sampling.temperature or 1.0
    drawn = request.with_sampling(temperature=warmth, seed=seed)
    return request if breaches(drawn, lab.domain, lab.limits) else drawn


def _with(case: Trace, request: Request, fork: Arrival | None, abort: int | None = None) -> Trace:
    """The case with a request in place of the one of its id, aborted at a step if one is given, and a fork."""
    arrivals = [
        replace(arrival, request=request, abort=abort) if arrival.request.id == request.id else arrival
        for arrival in case.arrivals
    ]
    return replace(case, arrivals=(*arrivals, *([fork] if fork else [])))


def _failed(run: Recording) -> Iterator[Violation]:
    """What the detour itself broke: an exception, or blocks that did not come back."""
    if run.failure is not None:
        yield raised("P34", run.failure)
    elif not run.sound:
        message = f"after {run.steps} steps a request is unfinished and nothing comes any more"
        yield Violation(code="P34", slug="unfinished", message=message)
    elif run.opened is not None and run.closed is not None:
        yield from (replace(found, code="P34") for found in lost_blocks(run))


def _tokens(run: Recording, name: str) -> tuple[int, ...]:
    answer: Answer | None = run.answers.get(name)
    return answer.samples[0].tokens if answer is not None and answer.samples else ()
