"""Cases beside a failing one: the same requests at the same times with the same options, chosen and worded otherwise.

Whether tokens are drawn or the best are taken, which ones there are and how many, and what a schema says: nothing else
differs. No option is added, so what needs an option is not beside what does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from strategies.arrivals import with_options, with_request
from strategies.repair import is_valid
from strategies.schemas import Schema, draw_schema
from strategies.source import RandomSource
from strategies.space import Space
from targets.trace import Arrival, Trace

COLD, WARM = 0.05, 1.0
"""Temperatures of a greedy request that is drawn: where hardly anything is left to draw, and an ordinary one."""
BARREN = 64
"""Attempts in a row that bring nothing, after which there is taken to be nothing."""
MOODS = ("as it is", "as it is", "greedy", "cold", "warm")


def neighbours(trace: Trace, space: Space) -> Iterator[Trace]:
    """Valid traces beside this one, without end as long as there are any; always the same ones."""
    random = Random(0)
    barren = 0
    while barren < BARREN:
        found = _neighbour(trace, space, random)
        if found is None:
            barren += 1
        else:
            barren = 0
            yield found


def _neighbour(trace: Trace, space: Space, random: Random) -> Trace | None:
    mood = random.choice(MOODS)
    names = _renaming(space, random) if random.random() < 0.7 else {}
    longer = random.choice((0, 0, 1, 4, 8))
    schema = draw_schema(RandomSource(random)) if random.random() < 0.7 else None

    def beside(arrival: Arrival) -> Arrival:
        if arrival.defect:
            return arrival
        return _lengthened(_renamed(_under(schema, _in_mood(arrival, mood, space, random)), names), longer)

    found = Trace(arrivals=tuple(map(beside, trace.arrivals)), knobs=trace.knobs)
    return found if found != trace and is_valid(found, space) else None


def _in_mood(arrival: Arrival, mood: str, space: Space, random: Random) -> Arrival:
    sampling = arrival.request.sampling
    if mood == "greedy":
        return with_options(arrival, temperature=0.0, n=1)
    if (sampling.temperature == 0 and mood == "as it is") or not {"temperature", "seed"} <= set(space.domain.supported):
        return arrival
    options: dict[str, Any] = {"seed": random.randrange(100)}
    if mood != "as it is":
        options["temperature"] = COLD if mood == "cold" else WARM
    return with_options(arrival, **options)


def _renaming(space: Space, random: Random) -> dict[int, int]:
    """Other names for ordinary tokens; equal tokens stay equal, so that shared prefixes stay shared."""
    special = {*space.limits.special_token_ids, *space.limits.eos_token_ids}
    ordinary = [token for token in range(min(space.limits.vocab_size, 4096)) if token not in special]
    return dict(zip(ordinary, random.sample(ordinary, len(ordinary)), strict=True))


def _renamed(arrival: Arrival, names: dict[int, int]) -> Arrival:
    sampling = arrival.request.sampling
    named = with_options(
        arrival,
        logit_bias={names.get(token, token): bias for token, bias in sampling.logit_bias.items()},
        stop_token_ids=tuple(names.get(token, token) for token in sampling.stop_token_ids),
    )
    return with_request(named, prompt=tuple(names.get(token, token) for token in arrival.request.prompt))


def _under(schema: Schema | None, arrival: Arrival) -> Arrival:
    """The arrival under another schema, if it is under one."""
    if schema is None or arrival.request.sampling.json_schema is None:
        return arrival
    return with_options(arrival, json_schema=schema)


def _lengthened(arrival: Arrival, more: int) -> Arrival:
    return with_options(arrival, max_tokens=arrival.request.sampling.max_tokens + more)
