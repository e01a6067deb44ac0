"""Edits of the whole trace: requests added, removed, doubled and reordered, knobs turned."""

from __future__ import annotations

import msgspec

from strategies.arrivals import with_request
from strategies.knobs import alternatives
from strategies.mutations.scene import Edit, Scene
from strategies.source import Source
from strategies.traces import draw_arrival
from targets.trace import Arrival


def unused_name(arrivals: tuple[Arrival, ...]) -> str:
    """A request id that no arrival has."""
    taken = {arrival.request.id for arrival in arrivals}
    number = len(arrivals)
    while f"r{number}" in taken:
        number += 1
    return f"r{number}"


def renamed(arrival: Arrival, name: str) -> Arrival:
    """The arrival under another request id."""
    return with_request(arrival, id=name)


def insert(source: Source, scene: Scene) -> Scene:
    """One more request, related to those before it, unless the trace is full."""
    if len(scene.arrivals) >= scene.setting.space.max_requests:
        return delete(source, scene)
    added = renamed(draw_arrival(source, scene.setting, scene.arrivals), unused_name(scene.arrivals))
    return scene._replace(arrivals=(*scene.arrivals, added))


def delete(source: Source, scene: Scene) -> Scene:
    """One request less, unless it is the only one."""
    if len(scene.arrivals) < 2:
        return scene
    index = source.integer(0, len(scene.arrivals) - 1)
    return scene._replace(arrivals=scene.arrivals[:index] + scene.arrivals[index + 1 :])


def duplicate(source: Source, scene: Scene) -> Scene:
    """One request sent twice: at the same time or some steps later."""
    if len(scene.arrivals) >= scene.setting.space.max_requests:
        return scene
    copied = renamed(source.choice(scene.arrivals), unused_name(scene.arrivals))
    copied = msgspec.structs.replace(copied, step=copied.step + source.choice((0, 1, 5, 20)), defect=None)
    return scene._replace(arrivals=(*scene.arrivals, copied))


def reorder(source: Source, scene: Scene) -> Scene:
    """Two requests exchange their places and their steps, so that the later one comes first."""
    first, second = (source.integer(0, len(scene.arrivals) - 1) for _ in range(2))
    one, other = scene.arrivals[first], scene.arrivals[second]
    changed = list(scene.arrivals)
    changed[first] = msgspec.structs.replace(other, step=one.step)
    changed[second] = msgspec.structs.replace(one, step=other.step)
    return scene._replace(arrivals=tuple(changed) if first != second else scene.arrivals)


def gather(source: Source, scene: Scene) -> Scene:
    """All requests at one step, so that they share a batch."""
    del source
    step = min(arrival.step for arrival in scene.arrivals)
    moved = (
        arrival if arrival.step == step else msgspec.structs.replace(arrival, step=step) for arrival in scene.arrivals
    )
    return scene._replace(arrivals=tuple(moved))


def turn_knob(source: Source, scene: Scene) -> Scene:
    """One knob set to another value, or back to its default."""
    knobs = scene.setting.space.knobs
    if not knobs:
        return scene
    knob = source.choice(knobs)
    changed = dict(scene.knobs)
    if knob.name in changed and source.boolean():
        del changed[knob.name]
    else:
        changed[knob.name] = source.choice(alternatives(knob))
    return scene._replace(knobs=changed)


EDITS: tuple[Edit, ...] = (insert, insert, insert, delete, duplicate, duplicate, reorder, gather, turn_knob, turn_knob)
