"""The state of a run: what channels hold at the start, and how writes change it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from targets.graph.config import MESSAGE, Channel, GraphConfig, Reducer, Value, channels_of
from targets.graph.expression import ExpressionError, bounded, number
from targets.graph.script import GraphInputs

State = Mapping[str, Value]
Write = tuple[str, Value]


class WriteError(Exception):
    """A value does not fit the reducer of its channel; `channel` names it."""

    def __init__(self, channel: str, message: str) -> None:
        self.channel = channel
        super().__init__(message)


class ConflictError(Exception):
    """Two nodes of one step wrote the same channel, whose reducer keeps one value only."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        super().__init__(f"two nodes of one step write {channel!r}; give it a reducer that combines writes")


def initial_state(config: GraphConfig, inputs: GraphInputs) -> dict[str, Value]:
    """Every channel's initial value, replaced by the caller's variables and message."""
    state: dict[str, Value] = {name: initial_value(channel) for name, channel in channels_of(config).items()}
    state.update(inputs.variables)
    state[MESSAGE] = inputs.message
    return state


def initial_value(channel: Channel) -> Value:
    """The declared initial value, or the reducer's neutral one."""
    if channel.initial is not None:
        return channel.initial
    if channel.reducer is Reducer.SUM:
        return 0
    if channel.reducer in (Reducer.APPEND, Reducer.UNION):
        return []
    return None


def fits(channel: Channel, value: Value) -> bool:
    """Whether a channel may hold this value."""
    match channel.reducer:
        case Reducer.SUM:
            return type(value) is int
        case Reducer.MAX | Reducer.MIN:
            return value is None or type(value) is int
        case Reducer.APPEND:
            return isinstance(value, list)
        case Reducer.UNION:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case Reducer.LAST:
            return True


def reduce(reducer: Reducer, held: Value, written: Value) -> Value:
    """What a channel holds after one write. Raises `ExpressionError` for a value that does not fit."""
    combine: Callable[[Any, Any], Value] = _COMBINE[reducer]
    result: Value = bounded(combine(held, written))
    return result


def reducers(config: GraphConfig) -> dict[str, Callable[[Value, Value], Value]]:
    """For each channel the function of held and written value that gives the new one."""
    return {name: functools.partial(reduce, channel.reducer) for name, channel in channels_of(config).items()}


def apply(channels: Mapping[str, Channel], state: State, writes: Iterable[Write]) -> dict[str, Value]:
    """A new state with the writes applied in their order. Raises `WriteError`."""
    after = dict(state)
    for name, value in writes:
        try:
            after[name] = reduce(channels[name].reducer, after[name], value)
        except KeyError:
            raise WriteError(name, f"there is no channel {name!r}") from None
        except ExpressionError as error:
            raise WriteError(name, f"channel {name!r} ({channels[name].reducer}): {error}") from None
    return after


def check_conflicts(channels: Mapping[str, Channel], groups: Sequence[Sequence[Write]]) -> None:
    """Raise `ConflictError` if two groups (nodes of a step) write the same channel that keeps the last value."""
    if len(groups) < 2:
        return
    taken: set[str] = set()
    for writes in groups:
        names = {name for name, _ in writes if name in channels and channels[name].reducer is Reducer.LAST}
        if clash := sorted(taken & names):
            raise ConflictError(clash[0])
        taken |= names


def _largest(held: Any, written: Any) -> Value:
    return number(written) if held is None else max(number(held), number(written))


def _smallest(held: Any, written: Any) -> Value:
    return number(written) if held is None else min(number(held), number(written))


def _append(held: Any, written: Any) -> Value:
    return [*held, *written] if isinstance(written, list) else [*held, written]


def _union(held: Any, written: Any) -> Value:
    added = written if isinstance(written, list) else [written]
    if not all(isinstance(item, str) for item in added):
        raise ExpressionError("its elements are texts")
    return sorted({*held, *added})


_COMBINE: dict[Reducer, Callable[[Any, Any], Value]] = {
    Reducer.LAST: lambda _, written: written,
    Reducer.SUM: lambda held, written: number(held) + number(written),
    Reducer.MAX: _largest,
    Reducer.MIN: _smallest,
    Reducer.APPEND: _append,
    Reducer.UNION: _union,
}
