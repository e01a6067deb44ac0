"""What an edit sees: the trace in parts, and the sizes in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from strategies.prompts import Setting
from strategies.source import Source
from targets.contract import KnobValue, Request
from targets.trace import Arrival


class Scene(NamedTuple):
    """A trace being edited; an edit returns a new scene."""

    setting: Setting
    arrivals: tuple[Arrival, ...]
    knobs: dict[str, KnobValue]


Edit = Callable[[Source, Scene], Scene]
ArrivalEdit = Callable[[Source, Scene, Arrival], Arrival]


def edit_one(edit: ArrivalEdit, source: Source, scene: Scene) -> Scene:
    """The scene with one arrival edited."""
    index = source.integer(0, len(scene.arrivals) - 1)
    edited = edit(source, scene, scene.arrivals[index])
    return scene._replace(arrivals=(*scene.arrivals[:index], edited, *scene.arrivals[index + 1 :]))


def another(source: Source, scene: Scene) -> Request:
    """Some request of the scene, perhaps the edited one itself."""
    return source.choice(scene.arrivals).request
