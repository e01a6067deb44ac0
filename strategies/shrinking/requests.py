"""Simpler versions of one arrival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from strategies.arrivals import with_prompt, with_request, with_sampling
from strategies.prompts import Prompt
from strategies.schemas import simpler_schemas
from targets.contract import SamplingParams
from targets.domain import NEUTRAL
from targets.trace import Arrival, StopCut, Trace

replace = msgspec.structs.replace

T = TypeVar("T")

FEW = 8
"""Entries of a collection that are tried one by one."""
KEPT_LENGTHS = (1, 2, 4, 8)
"""Prompt lengths tried at once before halving."""


def simpler_arrivals(arrival: Arrival, trace: Trace) -> Iterator[Arrival]:
    """The arrival with one thing simpler: what it follows, its times, one option, its prompt."""
    if arrival.defect is not None and arrival.defect.field.startswith("prompt["):
        yield replace(arrival, defect=replace(arrival.defect, field="prompt[0]"))
    if arrival.follow is not None:
        yield from detachments(arrival, {other.request.id: other for other in trace.arrivals})
        yield replace(with_prompt(arrival, arrival.request.prompt or (0,)), follow=None)
        yield replace(arrival, follow=replace(arrival.follow, keep=None))
        yield replace(arrival, follow=replace(arrival.follow, completion=1))
    if arrival.stop_cut is not None:
        yield replace(arrival, stop_cut=None)
        yield replace(arrival, stop_cut=StopCut(start=0, length=1))
        yield replace(arrival, stop_cut=replace(arrival.stop_cut, start=0, length=1))
    yield from _simpler_times(arrival)
    yield from (with_sampling(arrival, sampling) for sampling in _simpler_sampling(arrival.request.sampling))
    yield with_request(arrival, adapter=None)
    yield with_request(arrival, cache_salt=None)
    yield from (with_shorter(arrival, prompt) for prompt in _shorter_prompts(arrival.request.prompt))


def _simpler_times(arrival: Arrival) -> Iterator[Arrival]:
    if arrival.abort is not None:
        yield replace(arrival, abort=None)
        for step in smaller(arrival.abort):
            yield replace(arrival, abort=step)
    for step in smaller(arrival.step):
        yield replace(arrival, step=step, abort=arrival.abort)
        if arrival.abort is not None:
            yield replace(arrival, step=step, abort=max(0, arrival.abort - arrival.step + step))


def _simpler_sampling(sampling: SamplingParams) -> Iterator[SamplingParams]:
    yield plain(sampling)
    for name in sampling.__struct_fields__:
        if getattr(sampling, name) != getattr(NEUTRAL, name) and name not in ("temperature", "max_tokens"):
            yield replace(sampling, **{name: getattr(NEUTRAL, name)})
    if sampling.temperature != 0:
        yield replace(sampling, temperature=0.0, n=1)
        yield replace(sampling, temperature=1.0)
    for count in smaller(sampling.max_tokens, low=1):
        yield _limited(sampling, count)
    for name in ("min_tokens", "top_k", "n", "logprobs", "prompt_logprobs", "seed"):
        value = getattr(sampling, name)
        low = 1 if name in ("n", "top_k") else 0
        yield from (replace(sampling, **{name: smaller}) for smaller in smaller(value or 0, low))
    for name in ("stop", "stop_token_ids"):
        entries = getattr(sampling, name)
        yield from (replace(sampling, **{name: fewer}) for fewer in fewer_entries(entries))
    bias = sampling.logit_bias
    for tokens in fewer_entries(tuple(bias)):
        yield replace(sampling, logit_bias={token: bias[token] for token in tokens})
    if sampling.json_schema is not None:
        yield from (replace(sampling, json_schema=schema) for schema in simpler_schemas(sampling.json_schema))


def fewer_entries(entries: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """One of the first entries alone, then slices left out; of a long collection no slice that hardly matters."""
    if len(entries) < 2:
        return
    yield from ((entry,) for entry in entries[:FEW])
    for width in widths(len(entries)):
        if width * FEW >= len(entries) // 2:
            yield from (entries[:start] + entries[start + width :] for start in range(0, len(entries), width))


def _shorter_prompts(prompt: Prompt) -> Iterator[Prompt]:
    yield from (prompt[:length] for length in KEPT_LENGTHS if length < len(prompt))
    for width in widths(len(prompt)):
        for start in range(0, len(prompt) - width + 1, width):
            yield prompt[:start] + prompt[start + width :]


def widths(length: int) -> Iterator[int]:
    """Lengths of slices to cut out: half, then powers of two down to one, since blocks are mostly such."""
    half = length // 2
    if half:
        yield half
    power = 1 << max(0, half.bit_length() - 1)
    while half and power:
        if power != half:
            yield power
        power //= 2


def detachments(arrival: Arrival, known: Mapping[str, Arrival]) -> Iterator[Arrival]:
    """The arrival without its follow: the literal prompts down the chain stand in front of its own.

    First without the completions, which are known only where the trace runs; then with a token for each of theirs,
    since many failures need the length of a prompt and not its content.
    """
    yield _detached(arrival, known, padded=False)
    yield _detached(arrival, known, padded=True)


def _detached(arrival: Arrival, known: Mapping[str, Arrival], *, padded: bool) -> Arrival:
    prompt, follow = arrival.request.prompt, arrival.follow
    remaining = dict(known)
    while follow is not None and follow.request_id in remaining:
        # Each is used once, so that a circle in a hand-written trace ends.
        model = remaining.pop(follow.request_id)
        kept = model.request.prompt[: follow.keep]
        limit = model.request.sampling.max_tokens
        filler = min(limit, follow.completion if follow.completion >= 0 else limit) if padded else 0
        prompt = (*kept, *(model.request.prompt[-1:] or (0,)) * filler, *prompt)
        follow = model.follow
    return replace(with_prompt(arrival, prompt or (0,)), follow=None)


def smaller(value: int, low: int = 0) -> Iterator[int]:
    """Smaller numbers down to `low`: that first, then ever closer to the value."""
    if value > low:
        yield low
        gap = (value - low) // 2
        while gap >= 1:
            yield value - gap
            gap //= 2


def plain(sampling: SamplingParams) -> SamplingParams:
    """Greedy for the same number of tokens; a temperature that is neutral anyway stays."""
    kept = 1.0 if sampling.temperature == 1.0 and sampling.seed is None else 0.0
    return SamplingParams(temperature=kept, max_tokens=sampling.max_tokens)


def _limited(sampling: SamplingParams, count: int) -> SamplingParams:
    return replace(sampling, max_tokens=count, min_tokens=min(sampling.min_tokens, count))


def with_max_tokens(arrival: Arrival, count: int) -> Arrival:
    """The arrival with at most so many tokens to generate."""
    sampling = arrival.request.sampling
    return with_sampling(arrival, _limited(sampling, min(count, sampling.max_tokens)))


def with_shorter(arrival: Arrival, prompt: Prompt) -> Arrival:
    """The arrival with another prompt, of at least one token unless it follows or was empty before."""
    if not prompt and arrival.follow is None:
        prompt = arrival.request.prompt[:1]
    return with_prompt(arrival, prompt)
