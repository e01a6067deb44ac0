"""The same request on another path of one engine: batch, chunks, pool size, repetition, speculation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.relation import relate, steady
from fuzz.lab.tolerance import BATCH, REPEAT
from fuzz.properties.executors.options import rewritten
from fuzz.properties.model import Violation
from fuzz.properties.registry import register
from targets.contract import KnobValue, Request
from targets.domain import NEUTRAL
from targets.trace import MAX_STEP, Arrival, Trace

MOST_ALONE = 6
"""Requests of one case that are also run alone."""
REPEATS = 8
"""Tokens that a request generates at least where it is made to repeat itself."""
PLAIN = {
    name: getattr(NEUTRAL, name)
    for name in ("repetition_penalty", "presence_penalty", "frequency_penalty", "stop", "stop_token_ids", "min_tokens")
}


@register(
    "P11",
    "Batch equals single",
    sources=("BATCH-09", "BATCH-05", "BATCH-13", "BATCH-29", "DEVICE-05"),
)
def batch_equals_single(lab: Lab, case: Trace) -> Iterator[Violation]:
    """A request gets the same tokens, log-probabilities and ending alone as together with the others of the case.

    So neither the neighbours' options, nor the order and step of arrival, nor a neighbour's end, abort or refusal
    matters. An aborted request is compared as far as it got. Greedy and seeded requests only; near-ties are excused.
    """
    served = [answer for answer in lab.base.valid() if answer.deterministic]
    if len(case.arrivals) < 2 or not lab.base.sound:
        return
    for answer in served[:MOST_ALONE]:
        alone = lab.alone(answer.request)
        yield from relate(lab, "P11", alone, lab.base, BATCH, pairs=[(answer.request.id, answer.request.id)])


@register(
    "P15",
    "Chunk and block invariance",
    sources=("CACHE-41", "CACHE-21", "CACHE-30", "CACHE-26"),
    knobs=("chunk_size",),
)
def chunk_invariance(lab: Lab, case: Trace) -> Iterator[Violation]:
    """How a prompt is cut into chunks and blocks changes neither prompt log-probabilities nor the continuation.

    The case is run again with the smallest and the largest chunk, and with another block size where that is a knob.
    """
    for knob in ("chunk_size", "block_size"):
        for value in _extremes(lab, case, knob):
            yield from relate(lab, "P15", lab.base, lab.record(case, **{knob: value}), knob)


@register(
    "P17",
    "Repeat determinism",
    sources=("DEVICE-02", "DEVICE-06", "SAMPLE-15", "BATCH-17"),
)
def repeat_determinism(lab: Lab, case: Trace) -> Iterator[Violation]:
    """The same case on another fresh executor gives the same bits; so does a request sent again to a used executor.

    The second comparison is made without prefix cache where that is a knob, since a cache hit is another path. Bit
    equality is asked for on the CPU, eps elsewhere.
    """
    exact = lab.exact and steady(lab.base)
    again = lab.repeat(lab.base)
    yield from relate(lab, "P17", lab.base, again, REPEAT, exact=exact)
    chosen = longest(lab)
    if chosen is None:
        return
    cold: dict[str, KnobValue] = {"prefix_cache": False} if lab.values("prefix_cache") else {}
    used = lab.record(twice(case, chosen), **cold)
    names = [(chosen.request.id, repeated_id(chosen))]
    alone = lab.alone(chosen.request, **cold)
    yield from relate(lab, "P17", alone, used, BATCH, pairs=names, exact=exact and bool(cold))


@register(
    "P19",
    "Preempted equals not preempted",
    sources=("LIMITS-07", "LIFE-10", "CACHE-23"),
    knobs=("total_blocks",),
)
def preemption_invariance(lab: Lab, case: Trace) -> Iterator[Violation]:
    """A pool so small that requests are preempted gives the same results as an ample one.

    The case is run with the smallest pool that holds its largest request, and with the largest pool.
    """
    sizes = sorted(value for value in lab.values("total_blocks") if isinstance(value, int))
    block = lab.base.trace.knobs.get("block_size", lab.limits.block_size)
    needs = [_tokens(answer) for answer in lab.base.valid()]
    if not needs or not isinstance(block, int) or not sizes:
        return
    need = max(samples * -(-tokens // block) for samples, tokens in needs)
    smallest = next((size for size in sizes if size >= need), None)
    if smallest is None or smallest == sizes[-1]:
        return
    ample = lab.record(case, total_blocks=sizes[-1])
    tight = lab.record(case, total_blocks=smallest)
    yield from relate(lab, "P19", ample, tight, "total_blocks")


@register(
    "P20",
    "Speculative equals plain",
    sources=("LIMITS-04", "CACHE-11", "SAMPLE-17"),
    knobs=("speculative",),
)
def speculation_invariance(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Speculative decoding changes no greedy result: tokens, log-probabilities, text, ending and token counts.

    Every setting of the knob is compared with plain decoding: on the case, and on the case with each greedy request
    biased to repeat its first token, since drafts are right where text repeats.
    """
    plain, *drafted = sorted(lab.values("speculative"), key=float)
    repeating = rewritten(lab, case, lambda request: _repeating(lab, request))
    for trace in (case, repeating) if repeating != case else (case,):
        reference = lab.record(trace, speculative=plain)
        for value in drafted:
            run = lab.record(trace, speculative=value)
            yield from relate(lab, "P20", reference, run, "speculative", pairs=_greedy(reference, run))


@register(
    "P36",
    "Poisoned memory changes nothing",
    sources=("CACHE-33", "FINITE-03", "CACHE-31"),
    knobs=("poison",),
)
def poison_invariance(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Filling free and padding blocks with NaN changes nothing, bit for bit on the CPU: nobody reads them."""
    clean, poisoned = lab.record(case, poison=False), lab.record(case, poison=True)
    exact = lab.exact and steady(clean)
    yield from relate(lab, "P36", clean, poisoned, REPEAT, exact=exact)


def longest(lab: Lab) -> Answer | None:
    """The served request with the longest prompt among those with a fixed result that ended by themselves."""
    chosen = [
        answer
        for answer in lab.base.valid()
        if answer.deterministic and all(sample.complete for sample in answer.samples)
    ]
    return max(chosen, key=lambda answer: len(answer.request.prompt), default=None)


def twice(case: Trace, answer: Answer) -> Trace:
    """The case, and that request once more when everything else is done."""
    again = msgspec.structs.replace(answer.request, id=repeated_id(answer))
    return msgspec.structs.replace(case, arrivals=(*case.arrivals, Arrival(request=again, step=MAX_STEP)))


def repeated_id(answer: Answer) -> str:
    """Id of the repetition."""
    return f"{answer.request.id}-again"


def _greedy(left: Recording, right: Recording) -> list[tuple[str, str]]:
    return [
        (name, name)
        for name, answer in left.answers.items()
        if name in right.answers and not answer.breaches and answer.request.sampling.temperature == 0
    ]


def _repeating(lab: Lab, request: Request) -> dict[str, Any]:
    """What makes a greedy request choose its first token over and over, for a few tokens."""
    answer, bound = lab.base.answers.get(request.id), lab.domain.bounds.get("logit_bias")
    tokens = answer.samples[0].tokens if answer is not None and answer.samples else ()
    if request.sampling.temperature > 0 or not tokens or bound is None or bound.maximum is None:
        return {}
    most = lab.limits.context_length - len(request.prompt)
    changes = {"ignore_eos": True, "max_tokens": max(request.sampling.max_tokens, min(REPEATS, most))}
    # The tokens are all alike, so what each was chosen from has to be compared.
    changes["logprobs"] = min(1, lab.limits.max_logprobs)
    supported = {name: value for name, value in changes.items() if name in lab.domain.supported}
    return PLAIN | supported | {"logit_bias": {tokens[0]: bound.maximum}}


def _extremes(lab: Lab, case: Trace, knob: str) -> list[KnobValue]:
    values = sorted((value for value in lab.values(knob) if value != case.knobs.get(knob)), key=float)
    return list(dict.fromkeys([*values[:1], *values[-1:]]))


def _tokens(answer: Answer) -> tuple[int, int]:
    sampling = answer.request.sampling
    return sampling.n, len(answer.request.prompt) + sampling.max_tokens
