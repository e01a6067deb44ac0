"""Simplifications of a whole trace: fewer requests, and the same step for all requests at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

import msgspec

from strategies.arrivals import with_options, with_prompt, with_request, with_sampling
from strategies.prompts import Prompt
from strategies.shrinking.requests import detachments, plain, simpler_arrivals, widths, with_max_tokens, with_shorter
from targets.contract import KnobValue
from targets.domain import NEUTRAL
from targets.trace import Arrival, Trace

replace = msgspec.structs.replace


def candidates(trace: Trace) -> Iterator[Trace]:
    """Every simplification, the boldest first; some are not smaller or not valid."""
    yield from _fewer_requests(trace)
    yield from _without_knobs(trace)
    yield from _all_at_once(trace)
    yield from _shorter_together(trace)
    for index, arrival in enumerate(trace.arrivals):
        for simpler in simpler_arrivals(arrival, trace):
            yield _with_arrival(trace, index, simpler)
    yield from _smaller_tokens(trace)
    yield from _shared_times(trace)
    yield _renumbered(trace)


def _fewer_requests(trace: Trace) -> Iterator[Trace]:
    count = len(trace.arrivals)
    width = count // 2
    while width >= 1:
        for start in range(0, count, width):
            kept = [*range(start), *range(start + width, count)]
            if kept:
                yield from _subsets(trace, kept)
        width //= 2
    if count > 2:
        for index in range(count):
            yield from _subsets(trace, [index])
        for index in range(count):
            yield from _joined(trace, index, index - 1 if index else 1)


def _joined(trace: Trace, gone: int, heir: int) -> Iterator[Trace]:
    """A request less, another one as long as both: together they may have filled the memory."""
    lost, kept = trace.arrivals[gone].request, trace.arrivals[heir].request
    longer = with_prompt(trace.arrivals[heir], kept.prompt + lost.prompt)
    longer = with_options(longer, max_tokens=kept.sampling.max_tokens + lost.sampling.max_tokens)
    yield from _subsets(
        _with_arrival(trace, heir, longer), [place for place in range(len(trace.arrivals)) if place != gone]
    )


def _subsets(trace: Trace, kept: Iterable[int]) -> Iterator[Trace]:
    """The kept arrivals alone; what follows one that is gone is detached in each of the ways."""
    known = {arrival.request.id: arrival for arrival in trace.arrivals}
    arrivals = [trace.arrivals[index] for index in kept]
    remaining = {arrival.request.id for arrival in arrivals}
    ways = zip(*(_unfollowed(arrival, known, remaining) for arrival in arrivals), strict=False)
    yield from (replace(trace, arrivals=way) for way in ways)


def _unfollowed(arrival: Arrival, known: Mapping[str, Arrival], remaining: set[str]) -> Iterator[Arrival]:
    follow = arrival.follow
    if follow is None or follow.request_id in remaining:
        return repeat(arrival, 2)
    return detachments(arrival, known)


def _without_knobs(trace: Trace) -> Iterator[Trace]:
    if trace.knobs:
        yield replace(trace, knobs={})
    for name in trace.knobs if len(trace.knobs) > 1 else ():
        kept: dict[str, KnobValue] = {other: value for other, value in trace.knobs.items() if other != name}
        yield replace(trace, knobs=kept)


def _all_at_once(trace: Trace) -> Iterator[Trace]:
    """The same simplification of every request, since one alone would often end the failure."""
    arrivals = trace.arrivals
    yield _mapped(trace, [replace(arrival, abort=None, stop_cut=None, step=0) for arrival in arrivals])
    yield _mapped(trace, [replace(arrival, abort=None) for arrival in arrivals])
    yield _mapped(trace, [replace(arrival, step=0) for arrival in arrivals])
    yield _mapped(trace, [with_sampling(arrival, plain(arrival.request.sampling)) for arrival in arrivals])
    for name in NEUTRAL.__struct_fields__:
        if name not in ("temperature", "max_tokens"):
            yield _mapped(trace, [with_options(arrival, **{name: getattr(NEUTRAL, name)}) for arrival in arrivals])
    for name in ("adapter", "cache_salt"):
        yield _mapped(trace, [with_request(arrival, **{name: None}) for arrival in arrivals])
    for length in (1, 2, 4):
        yield _mapped(trace, [with_max_tokens(arrival, length) for arrival in arrivals])


def _shorter_together(trace: Trace) -> Iterator[Trace]:
    """The same slice cut from every prompt that has it, so that shared prefixes stay shared."""
    longest = max((arrival.request.prompt for arrival in trace.arrivals), key=len, default=())
    for width in widths(len(longest)):
        for start in range(0, len(longest) - width + 1, width):
            before = longest[: start + width]
            yield _mapped(trace, [_without_slice(arrival, before, start) for arrival in trace.arrivals])


def _without_slice(arrival: Arrival, before: Prompt, start: int) -> Arrival:
    prompt = arrival.request.prompt
    if prompt[: len(before)] != before:
        return arrival
    return with_shorter(arrival, prompt[:start] + prompt[len(before) :])


def _smaller_tokens(trace: Trace) -> Iterator[Trace]:
    """Tokens renamed alike in all prompts, then set to zero prompt by prompt, then position by position."""
    values = sorted({token for arrival in trace.arrivals for token in arrival.request.prompt})
    if len(values) > 1:
        yield _renamed(trace, dict.fromkeys(values, 0))
        yield _renamed(trace, {token: rank for rank, token in enumerate(values)})
    for some in _slices(values[::-1]):
        yield _renamed(trace, dict.fromkeys(some, 0))
    for token in reversed(values):
        free = next(number for number in range(len(values) + 1) if number not in values)
        yield _renamed(trace, {token: free})
    for index, arrival in enumerate(trace.arrivals):
        prompt = arrival.request.prompt
        yield _with_arrival(trace, index, with_prompt(arrival, (0,) * len(prompt)))
        for some in _slices(range(len(prompt))):
            zeros = tuple(0 if position in some else token for position, token in enumerate(prompt))
            yield _with_arrival(trace, index, with_prompt(arrival, zeros))


def _slices(values: Sequence[int]) -> Iterator[Sequence[int]]:
    """Parts of ever smaller width, at last each value alone."""
    for width in widths(len(values)) if len(values) > 1 else (1,):
        yield from (values[start : start + width] for start in range(0, len(values), width))


def _shared_times(trace: Trace) -> Iterator[Trace]:
    """All steps moved down together, gaps kept."""
    first = min((arrival.step for arrival in trace.arrivals), default=0)
    for offset in (first, 1):
        moved = [
            replace(
                arrival,
                step=max(0, arrival.step - offset),
                abort=None if arrival.abort is None else max(0, arrival.abort - offset),
            )
            for arrival in trace.arrivals
        ]
        yield _mapped(trace, moved)


def _renumbered(trace: Trace) -> Trace:
    names = {arrival.request.id: f"r{index}" for index, arrival in enumerate(trace.arrivals)}
    return _mapped(trace, [_called(arrival, names) for arrival in trace.arrivals])


def _called(arrival: Arrival, names: Mapping[str, str]) -> Arrival:
    follow = arrival.follow
    if follow is not None:
        follow = replace(follow, request_id=names.get(follow.request_id, follow.request_id))
    return replace(with_request(arrival, id=names[arrival.request.id]), follow=follow)


def _with_arrival(trace: Trace, index: int, arrival: Arrival) -> Trace:
    return replace(trace, arrivals=(*trace.arrivals[:index], arrival, *trace.arrivals[index + 1 :]))


def _mapped(trace: Trace, arrivals: Iterable[Arrival]) -> Trace:
    return replace(trace, arrivals=tuple(arrivals))


def _renamed(trace: Trace, names: Mapping[int, int]) -> Trace:
    prompts = [tuple(names.get(token, token) for token in arrival.request.prompt) for arrival in trace.arrivals]
    return _mapped(
        trace, [with_prompt(arrival, prompt) for arrival, prompt in zip(trace.arrivals, prompts, strict=True)]
    )
