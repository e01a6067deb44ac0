"""Mutation of traces for coverage-guided engines: a few edits, then repair.

A valid trace stays in the documented domain, a malformed one keeps exactly one defect. Costs tens of microseconds.
"""

from __future__ import annotations

from functools import partial
from random import Random

import msgspec

from strategies.mutations import options, prompts, structure, timing
from strategies.mutations.scene import Edit, Scene, edit_one
from strategies.repair import repair
from strategies.source import RandomSource, Source
from strategies.space import Space
from strategies.traces import draw_trace, setting_under
from targets.trace import Arrival, Defect, Trace

EDIT_COUNTS = (1, 1, 1, 2, 2, 3, 4)

EDITS: tuple[Edit, ...] = (
    *structure.EDITS,
    *(partial(edit_one, edit) for edit in (*prompts.EDITS, *options.EDITS, *timing.EDITS)),
)


def mutate(trace: Trace, random: Random, space: Space) -> Trace:
    """A trace that differs from this one in one to four edits; equal states of `random` give equal results.

    The trace must be valid for the space but for one defect (see `repair` for one from elsewhere).
    """
    source = RandomSource(random)
    if not trace.arrivals:
        return draw_trace(source, space)
    scene = Scene(setting_under(space, trace.knobs), trace.arrivals, trace.knobs)
    for _ in range(source.choice(EDIT_COUNTS)):
        scene = source.choice(EDITS)(source, scene)
    return settled(scene, (trace,), source)


def crossover(first: Trace, second: Trace, random: Random, space: Space) -> Trace:
    """Requests from both traces, in their order, under the knobs of either; a defect of one of them is kept."""
    source = RandomSource(random)
    kept = [arrival for arrival in first.arrivals if source.boolean()]
    taken = {arrival.request.id for arrival in kept}
    joined = (*kept, *distinct([arrival for arrival in second.arrivals if source.boolean()], taken))
    knobs = {name: value for name, value in (first.knobs | second.knobs).items() if source.boolean(0.7)}
    scene = Scene(setting_under(space, knobs), joined or first.arrivals or second.arrivals, knobs)
    if not scene.arrivals:
        return draw_trace(source, space)
    return settled(scene, (first, second), source)


def distinct(arrivals: list[Arrival], taken: set[str]) -> tuple[Arrival, ...]:
    """The arrivals, renamed where their request id is taken; what follows a renamed one follows it still."""
    names: dict[str, str] = {}
    for arrival in arrivals:
        name = arrival.request.id
        number = len(taken)
        while name in taken:
            name, number = f"r{number}", number + 1
        names[arrival.request.id] = name
        taken.add(name)
    return tuple(_renamed(arrival, names) for arrival in arrivals)


def settled(scene: Scene, parents: tuple[Trace, ...], source: Source) -> Trace:
    """The scene as a repaired trace, with the parents' defect put back if an edit removed it."""
    arrivals = scene.arrivals
    defect = next((arrival.defect for parent in parents for arrival in parent.arrivals if arrival.defect), None)
    if defect is not None and all(arrival.defect is None for arrival in arrivals):
        arrivals = spoiled(arrivals, defect, source)
    trusted = {id(arrival) for parent in parents for arrival in parent.arrivals}
    trace = Trace(arrivals=arrivals, knobs=scene.knobs)
    return repair(trace, scene.setting.space, source, trusted)


def spoiled(arrivals: tuple[Arrival, ...], defect: Defect, source: Source) -> tuple[Arrival, ...]:
    """The arrivals with the defect put into one of them."""
    index = source.integer(0, len(arrivals) - 1)
    bad = msgspec.structs.replace(arrivals[index], defect=defect)
    return (*arrivals[:index], bad, *arrivals[index + 1 :])


def _renamed(arrival: Arrival, names: dict[str, str]) -> Arrival:
    renamed = arrival
    if names[arrival.request.id] != arrival.request.id:
        renamed = structure.renamed(arrival, names[arrival.request.id])
    follow = arrival.follow
    if follow is not None and names.get(follow.request_id, follow.request_id) != follow.request_id:
        moved = msgspec.structs.replace(follow, request_id=names[follow.request_id])
        renamed = msgspec.structs.replace(renamed, follow=moved)
    return renamed
