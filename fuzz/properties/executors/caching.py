"""The prefix cache: a hit changes nothing but time, and never crosses adapters or salts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer
from fuzz.lab.relation import relate
from fuzz.properties.executors.equivalence import longest, repeated_id, twice
from fuzz.properties.model import Violation
from fuzz.properties.registry import register
from targets.contract import Request
from targets.trace import MAX_STEP, Arrival, Trace

CACHE = "prefix_cache"


@register(
    "P13",
    "Cache hit equals miss",
    sources=("CACHE-01", "CACHE-22", "CACHE-15", "CACHE-09", "CACHE-23", "CACHE-08"),
    knobs=(CACHE,),
)
def cache_hit_equals_miss(lab: Lab, case: Trace) -> Iterator[Violation]:
    """With the prefix cache every request of the case gets what it gets without, and so does one that is repeated.

    The request with the longest prompt is sent once more after all others. Where the case itself repeats a prompt of
    more than a block, an immediate repeat on a fresh executor must report `cached_tokens > 0`: a cache that never
    hits would make this property say nothing.
    """
    chosen = longest(lab)
    trace = case if chosen is None else twice(case, chosen)
    cold = lab.record(case, prefix_cache=False)
    warm = lab.record(trace, prefix_cache=True)
    yield from relate(lab, "P13", cold, warm, CACHE)
    if chosen is not None and cold.sound and warm.sound:
        yield from relate(lab, "P13", cold, warm, CACHE, pairs=[(chosen.request.id, repeated_id(chosen))])
        yield from _never_hits(lab, chosen)


@register(
    "P14",
    "Cache keys are complete",
    sources=("CACHE-37", "CACHE-38", "CACHE-39"),
    knobs=(CACHE,),
)
def cache_keys_are_complete(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Requests that differ only in adapter or salt never share cached blocks.

    For a request of the case that names an adapter or a salt: its prompt is run without it, and with another one,
    first; then it must get what it gets on a fresh executor, and report no cached token. Where no request names any,
    the one with the longest prompt is run behind itself with a salt, and with an adapter, if the target has them.
    """
    named = [answer for answer in lab.base.valid() if _names_keys(answer.request)]
    chosen = named or [answer for answer in (_longest_of_blocks(lab),) if answer is not None]
    for answer in chosen:
        request = answer.request
        others = tuple(_rivals(lab, request))
        if not others or not answer.deterministic:
            continue
        fresh = lab.alone(request, prefix_cache=True)
        for other in others:
            run = lab.record(_one_after_other(case, other, request), prefix_cache=True)
            yield from relate(lab, "P14", fresh, run, CACHE, pairs=[(request.id, request.id)])
            yield from _shared(lab, run.answers.get(request.id), other)


def _names_keys(request: Request) -> bool:
    return request.adapter is not None or request.cache_salt is not None


def _longest_of_blocks(lab: Lab) -> Answer | None:
    """The repeatable request with the longest prompt, if that is more than a block: less is never shared."""
    chosen, block = longest(lab), _block_size(lab)
    return chosen if chosen and block and len(chosen.request.prompt) > block else None


def _block_size(lab: Lab) -> int:
    """Tokens in a block of the cache; 0 where that is not known."""
    size = lab.base.trace.knobs.get("block_size", lab.limits.block_size)
    return size if isinstance(size, int) else 0


def _rivals(lab: Lab, request: Request) -> Iterator[Request]:
    """The same request with another adapter, without one, or with another salt."""
    before = msgspec.structs.replace(request, id=f"{request.id}-before")
    plain = not _names_keys(request)
    if request.adapter is not None or plain:
        adapters = lab.limits.adapters[:1] if plain else (None, *lab.limits.adapters)
        for adapter in adapters:
            if adapter != request.adapter:
                yield msgspec.structs.replace(before, adapter=adapter)
    if lab.domain.cache_salt and (request.cache_salt is not None or plain):
        for salt in ("a",) if plain else (None, f"{request.cache_salt}x"):
            yield msgspec.structs.replace(before, cache_salt=salt)


def _one_after_other(case: Trace, first: Request, second: Request) -> Trace:
    return Trace(arrivals=(Arrival(request=first), Arrival(request=second, step=MAX_STEP)), knobs=case.knobs)


def _shared(lab: Lab, answer: Answer | None, other: Request) -> Iterator[Violation]:
    if answer is None:
        return
    for sample in answer.samples[:1]:
        if sample.usage is not None and sample.usage.cached_tokens:
            lab.tally.looked += 1
            name = answer.request.id
            keys = f"adapter {other.adapter!r}, salt {other.cache_salt!r}"
            message = f"{name} reuses {sample.usage.cached_tokens} tokens that were cached under {keys}"
            yield Violation(code="P14", slug="shared-across-keys", message=message, request_id=name)


def _never_hits(lab: Lab, chosen: Answer) -> Iterator[Violation]:
    """Whether an immediate repeat on a fresh executor is served from the cache, where the target's numbers allow it."""
    request = chosen.request
    block = _block_size(lab)
    if not block or len(request.prompt) <= block or request.sampling.prompt_logprobs is not None:
        return
    prompts = [answer.request.prompt[: block + 1] for answer in lab.base.valid()]
    if prompts.count(request.prompt[: block + 1]) < 2:
        return
    run = lab.record(
        twice(Trace(arrivals=(Arrival(request=request),), knobs=lab.case.knobs), chosen), prefix_cache=True
    )
    if not run.sound or not run.answers[repeated_id(chosen)].samples:
        return
    usage = run.answers[repeated_id(chosen)].samples[0].usage
    lab.tally.looked += 1
    if usage is not None and not usage.cached_tokens:
        message = f"{request.id} sent twice: the second one of {len(request.prompt)} prompt tokens hits no cached block"
        yield Violation(code="P13", slug="never-hits", message=message, request_id=request.id)
