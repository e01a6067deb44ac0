"""Sampling parameters inside the documented domain: edge values, ordinary values, and combinations from real bugs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from strategies.edge_values import SAMPLING, Combination, evaluate
from strategies.schemas import draw_schema
from strategies.source import Source, drawn
from strategies.space import Space, geometry_of, total_ceiling
from strategies.steering import draw_steering
from strategies.tokens import draw_token
from targets.contract import Bound, SamplingParams
from targets.domain import FLOAT_FIELDS, INTEGER_FIELDS, NEUTRAL, within

OPTION_COUNTS = (0, 0, 0, 1, 1, 1, 2, 2, 3, 5)
TOKEN_COUNTS = (1, 2, 3, 4, 5, 6, 8, 12)
SIMILAR_TOKENS = 24
"""Ordinary upper end of max_tokens; only boundary values lie above."""
STEERED = 0.5
"""Share of constrained requests whose answer is led somewhere; what a model chooses freely sees little of a schema."""

WIDEST = 10.0
"""Ordinary floats are drawn up to here where the domain has no upper bound."""


def sampling_params(space: Space) -> st.SearchStrategy[SamplingParams]:
    """Sampling parameters that are valid behind a one-token prompt."""

    def sampling(source: Source) -> SamplingParams:
        room = total_ceiling(geometry_of(space, {})) - 1
        return draw_sampling(source, space, min(room, SIMILAR_TOKENS))

    return drawn(sampling)


def reproducible(sampling: SamplingParams) -> bool:
    """Whether the completion depends on the request alone: greedy, or drawn with a seed."""
    return sampling.temperature == 0 or sampling.seed is not None


def draw_sampling(source: Source, space: Space, room: int) -> SamplingParams:
    """Valid parameters; `room` is how many tokens may be generated. About one in fifty is not reproducible."""
    options: dict[str, Any] = {}
    if "max_tokens" in space.domain.supported:
        options["max_tokens"] = draw_max_tokens(source, space, room)
    options |= draw_temperature(source, space)
    if source.boolean(0.14):
        options |= fill(source.choice(SAMPLING.combination), space)
    elif space.option_fields:
        for _ in range(source.choice(OPTION_COUNTS)):
            name = source.choice(space.option_fields)
            options[name] = draw_option(source, space, name)
    if "logit_bias" in space.domain.supported and source.boolean(0.05):
        sampled = options.get("temperature", NEUTRAL.temperature) > 0
        options |= draw_candidates(source, space, room, sampled=sampled)
    if options.get("json_schema") is not None and "logit_bias" in space.domain.supported and source.boolean(STEERED):
        options["logit_bias"] = draw_steering(source, space, options["json_schema"])
    return fitted(SamplingParams(**options), space, room)


def draw_temperature(source: Source, space: Space) -> dict[str, Any]:
    """Greedy half of the time; otherwise a temperature with a seed, and rarely without.

    Where a target takes no seed, nearly all requests are greedy: what is drawn freely cannot be compared.
    """
    if "temperature" not in space.domain.supported:
        return draw_seed(source, space)
    sampled = 0.45 if "seed" in space.domain.supported else 0.1
    if source.boolean(sampled) or not within(0.0, bound_of(space, "temperature"), integer=False):
        chosen = {"temperature": draw_number(source, space, "temperature")}
        return chosen | draw_seed(source, space)
    return {"temperature": 0.0}


def draw_seed(source: Source, space: Space) -> dict[str, Any]:
    """A seed, unless the target takes none or (rarely) on purpose."""
    if "seed" not in space.domain.supported or source.boolean(0.04):
        return {}
    return {"seed": draw_number(source, space, "seed")}


def draw_max_tokens(source: Source, space: Space, room: int) -> int:
    """Mostly a few tokens; one in twelve fills the room exactly or almost."""
    wanted = source.choice(TOKEN_COUNTS)
    if source.boolean(0.08):
        wanted = room - source.integer(0, 1)
    elif source.boolean(0.03) and space.option_edges["max_tokens"]:
        wanted = int(source.choice(space.option_edges["max_tokens"]))
    return max(1, min(wanted, room))


def draw_option(source: Source, space: Space, name: str) -> Any:
    """A value in the domain for one field of `SamplingParams`, apart from limits that depend on other fields."""
    match name:
        case "logit_bias":
            return draw_bias(source, space)
        case "stop":
            return draw_stop(source, space)
        case "stop_token_ids":
            count = min(source.choice((1, 1, 2, 4, 16, 64)), space.limits.vocab_size)
            return tuple(draw_token(source, space) for _ in range(count))
        case "json_schema":
            return draw_schema(source)
        case "include_stop" | "ignore_eos":
            return source.boolean()
        case _:
            return draw_number(source, space, name)


def draw_number(source: Source, space: Space, name: str) -> float:
    """A number in the domain of a field: an edge value of the dictionary, or an ordinary one."""
    edges = space.option_edges.get(name, ())
    if edges and source.boolean(0.6):
        return source.choice(edges)
    bound = bound_of(space, name)
    low = bound.minimum if bound.minimum is not None else -WIDEST
    if name in FLOAT_FIELDS:
        high = min(bound.maximum if bound.maximum is not None else WIDEST, WIDEST)
        value = round(source.number(low, high), 3)
        return value if value > low or not bound.above else high
    high = min(bound.maximum if bound.maximum is not None else 40, 40, _cap(space, name))
    return source.integer(int(low), max(int(low), int(high)))


def draw_bias(source: Source, space: Space) -> dict[int, float]:
    """One to four biased tokens, rarely every token of a small vocabulary by the same number."""
    vocabulary = space.limits.vocab_size
    values = space.option_edges["logit_bias"] or (0.0,)
    if vocabulary <= space.domain.max_logit_bias and source.boolean(0.05):
        return dict.fromkeys(range(vocabulary), source.choice(values))
    count = min(source.integer(1, 4), space.domain.max_logit_bias)
    return {draw_token(source, space): source.choice(values) for _ in range(count)}


def draw_candidates(source: Source, space: Space, room: int, *, sampled: bool) -> dict[str, Any]:
    """All but a few tokens are out of the question.

    One candidate is chosen over and over, and only where text repeats are drafts of speculative decoding right. Between
    several of them a filter moves probabilities that a few hundred draws can tell.
    """
    supported = space.domain.supported
    strongest = max(space.option_edges["logit_bias"], default=0.0)
    count = min(source.choice((1, 1, 2, 3, 4)), space.domain.max_logit_bias)
    options: dict[str, Any] = {"logit_bias": {draw_token(source, space): strongest for _ in range(count)}}
    if "ignore_eos" in supported:
        options["ignore_eos"] = True
    if "max_tokens" in supported:
        options["max_tokens"] = max(1, min(room, source.integer(4, 12)))
    filters = {"top_p": (0.2, 0.95), "min_p": (0.05, 0.6)}
    name = source.choice(("top_p", "min_p", "top_k"))
    if sampled and count > 1 and name in supported:
        options[name] = source.integer(1, count) if name == "top_k" else round(source.number(*filters[name]), 2)
    return options


def draw_stop(source: Source, space: Space) -> tuple[str, ...]:
    """One to three stop strings from the dictionary, rarely as many as the domain allows."""
    most = space.domain.max_stop
    count = most if source.boolean(0.05) else min(source.integer(1, 3), most)
    return tuple(source.choice(space.stop_texts) for _ in range(count))


def fill(combination: Combination, space: Space) -> dict[str, Any]:
    """The options of a combination with roles resolved; what the target does not support or allow is left out."""
    domain = space.domain
    filled: dict[str, Any] = {}
    for name, value in combination.options.items():
        if name not in domain.supported:
            continue
        if name == "stop_token_ids":
            filled[name] = tuple(token for entry in value for token in named_tokens(entry, space))
        elif name == "logit_bias":
            added = {token: number for entry, number in value.items() for token in named_tokens(entry, space)}
            fine = all(within(number, bound_of(space, name), integer=False) for number in added.values())
            filled[name] = added if fine and len(added) <= domain.max_logit_bias else {}
        elif isinstance(value, bool) or within(value, bound_of(space, name), name in INTEGER_FIELDS):
            filled[name] = value
    return filled


def named_tokens(name: int | str, space: Space) -> Sequence[int]:
    """The token ids that a dictionary means: `eos`, `all` of the vocabulary, or an expression such as `V-1`."""
    limits = space.limits
    if name == "all":
        return range(limits.vocab_size)
    if name == "eos":
        return limits.eos_token_ids[:1] or (0,)
    return (evaluate(name, {"V": limits.vocab_size}) or 0,)


def fitted(sampling: SamplingParams, space: Space, room: int) -> SamplingParams:
    """The parameters with everything that depends on another field or on the room put right."""
    changes: dict[str, Any] = {}
    longest = sampling.max_tokens
    if longest > room:
        longest = changes["max_tokens"] = room
    if sampling.min_tokens > longest:
        changes["min_tokens"] = longest
    if sampling.n > 1 and (sampling.temperature == 0 or space.limits.max_samples < sampling.n):
        changes["n"] = 1 if sampling.temperature == 0 else space.limits.max_samples
    most = space.limits.max_logprobs
    if sampling.logprobs is not None and sampling.logprobs > most:
        changes["logprobs"] = most
    if sampling.prompt_logprobs is not None and sampling.prompt_logprobs > most:
        changes["prompt_logprobs"] = most
    return msgspec.structs.replace(sampling, **changes) if changes else sampling


def bound_of(space: Space, name: str) -> Bound:
    """The documented interval of a number; unbounded if the domain names none."""
    return space.domain.bounds.get(name, Bound())


def is_neutral(sampling: SamplingParams, name: str) -> bool:
    """Whether a field has its neutral default."""
    return bool(getattr(sampling, name) == getattr(NEUTRAL, name))


def _cap(space: Space, name: str) -> int:
    if name in ("logprobs", "prompt_logprobs"):
        return min(space.limits.max_logprobs, 5)
    if name == "n":
        return space.limits.max_samples
    return 40
