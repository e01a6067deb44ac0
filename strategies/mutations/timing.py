"""Edits of when a request arrives and is aborted, and of what its prompt and stop string are taken from."""

from __future__ import annotations

import msgspec

from strategies.mutations.scene import ArrivalEdit, Scene
from strategies.schedule import draw_abort, draw_step, expected_end
from strategies.source import Source
from strategies.traces import can_cut, draw_stop_cut, following
from targets.trace import Arrival


def move(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Another step of arrival: one earlier or later, or with, amid or after the others."""
    if source.boolean():
        step = max(0, arrival.step + source.choice((1, -1)))
    else:
        others = tuple(other for other in scene.arrivals if other is not arrival)
        step = draw_step(source, scene.setting.space, scene.setting.geometry, others)
    return msgspec.structs.replace(arrival, step=step)


def join(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """Arrival in the same step as another request, or in the one after it ends."""
    other = source.choice(scene.arrivals)
    step = other.step if source.boolean() else expected_end(other, scene.setting.geometry) + 1
    return msgspec.structs.replace(arrival, step=step)


def set_abort(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """An abort in some phase of the request, one step earlier or later than it was, or none any more."""
    if arrival.abort is None:
        geometry = scene.setting.geometry
        abort: int | None = draw_abort(source, scene.setting.space, geometry, arrival.request, arrival.step)
    elif source.boolean(0.3):
        abort = None
    else:
        abort = max(0, arrival.abort + source.choice((1, -1, 2, -2)))
    return msgspec.structs.replace(arrival, abort=abort)


def set_stop_cut(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """A stop string cut from the output, at another place, two that come at once, or none any more."""
    cut = arrival.stop_cut
    if cut is None or source.boolean(0.3):
        wanted = draw_stop_cut(source) if cut is None and can_cut(scene.setting.space, arrival.request) else None
        return msgspec.structs.replace(arrival, stop_cut=wanted)
    if source.boolean(0.2):
        return msgspec.structs.replace(arrival, stop_cut=msgspec.structs.replace(cut, pair=not cut.pair))
    start, length = max(0, cut.start + source.choice((1, -1, 0))), max(1, cut.length + source.choice((1, -1, 0)))
    return msgspec.structs.replace(arrival, stop_cut=msgspec.structs.replace(cut, start=start, length=length))


def set_follow(source: Source, scene: Scene, arrival: Arrival) -> Arrival:
    """The prompt put behind that of an earlier request and its completion, or on its own again."""
    if arrival.follow is not None and source.boolean():
        return msgspec.structs.replace(arrival, follow=None)
    earlier = scene.arrivals[: scene.arrivals.index(arrival)]
    return following(source, scene.setting, arrival, earlier) if earlier else arrival


EDITS: tuple[ArrivalEdit, ...] = (move, move, join, join, set_abort, set_abort, set_stop_cut, set_follow)
