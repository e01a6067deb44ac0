"""Options: neutral ones change nothing, extreme ones become greedy, strong ones have an effect, seeds stay in scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import numpy as np

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer
from fuzz.lab.relation import relate
from fuzz.lab.sampling import is_filtered, probabilities
from fuzz.lab.tolerance import BATCH
from fuzz.properties.executors import asked
from fuzz.properties.model import Violation
from fuzz.properties.registry import register
from targets.contract import Request, SamplingParams, ScoresTokens
from targets.domain import NEUTRAL, breaches
from targets.trace import Arrival, Trace

NEVER = "\u2400 never generated \u2400"
"""A stop string that no model stumbles upon."""
ANOTHER_SEED = 104_729
DRAWN_TOKENS = 12
CHILDREN = 3
"""Samples that a request is asked for which has fewer."""
MOST_PARENTS = 2
"""Requests of a case that are asked for several samples."""
COLD, HOT = 0.05, 2.0
"""Temperatures of the neighbours of a filtered request."""
FILTERS = {"top_p": 0.95, "min_p": 0.1}
"""For a request without these; how many tokens they leave depends on the temperature."""
SMALLEST = 5e-324
COLLISION = 1e-9
"""Samples that agree although that is less likely than this are no coincidence."""
STRONGEST = 50.0
"""A bias of 100 decides only where the logits lie closer together than this."""

GREEDY: tuple[dict[str, Any], ...] = ({"top_k": 1}, {"top_p": 1e-9})
"""Filters that leave one token. (`min_p = 1` leaves every token that ties for the best.)"""

Change = Callable[[Request], dict[str, Any]]


@register(
    "P18",
    "Seed scope",
    sources=("BATCH-19", "SAMPLE-11", "SAMPLE-19"),
    fields=("seed", "temperature"),
    suits=asked.draws,
)
def seed_scope(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Seeded draws depend on (request, seed, sample) alone.

    In the reverse order of arrival every request draws the same. Of several samples sample 0 equals the only one of the
    request with n = 1, and samples differ from each other unless that is likely by their distributions. (A request
    with one sample is asked for three, at a high temperature.)
    """
    seeded = [a for a in lab.base.valid() if a.request.sampling.temperature > 0 and a.deterministic]
    if not seeded or not lab.base.sound:
        return
    names = [(answer.request.id, answer.request.id) for answer in seeded]
    if len(case.arrivals) > 1:
        arrivals = tuple(msgspec.structs.replace(arrival, step=0, abort=None) for arrival in case.arrivals)
        forward = lab.record(msgspec.structs.replace(case, arrivals=arrivals))
        backward = lab.record(msgspec.structs.replace(case, arrivals=arrivals[::-1]))
        yield from relate(lab, "P18", forward, backward, BATCH, pairs=names)
    for request in [_parent(lab, answer.request) for answer in seeded[:MOST_PARENTS]]:
        many, single = lab.alone(request), lab.alone(request.with_sampling(n=1))
        if request.sampling.n > 1 and many.sound and many.answers[request.id].accepted:
            yield from relate(lab, "P18", single, many, BATCH, pairs=[(request.id, request.id)])
            yield from _alike(lab, many.answers[request.id])


@register(
    "P21",
    "Option neutrality",
    sources=("SAMPLE-03", "SAMPLE-01", "CACHE-36"),
)
def option_neutrality(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Options at values that mean nothing change nothing.

    Every request of the case gets, where it does not use the option and the target supports it: top_k = vocabulary,
    a bias of 0 for one token, a stop string that begins like the end of its answer and never occurs, log-probabilities
    and prompt log-probabilities that nobody asked for, and (if greedy) another seed.
    """
    yield from _unchanged(lab, case, "P21", lambda request: _neutral(lab, request))


@register(
    "P27",
    "Sampler metamorphics",
    sources=("BATCH-02", "SAMPLE-01", "FINITE-08"),
    fields=("temperature",),
)
def sampler_metamorphics(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Limits of the sampler: top_k = 1 and a tiny top_p are greedy; a constant bias changes nothing; rows are apart.

    The sampled requests of the case are made greedy by temperature 0, and by each of these in place of it. Adding the
    same bias to every token is tried where the domain allows so many biases and no repetition penalty is in use. The
    first request that uses a filter, or else the first seeded one with filters, draws beside a much colder and a much
    hotter copy what it draws alone, and so do these.
    """
    sampled = [a.request for a in lab.base.valid() if a.request.sampling.temperature > 0]
    if sampled:
        greedy = lab.record(rewritten(lab, case, partial(_greedy, change={})))
        for change in GREEDY:
            if set(change) <= set(lab.domain.supported):
                limited = lab.record(rewritten(lab, case, partial(_greedy, change=change)))
                yield from relate(lab, "P27", greedy, limited, BATCH)
        yield from _rows_apart(lab, case, sampled)
    if lab.limits.vocab_size <= lab.domain.max_logit_bias and "logit_bias" in lab.domain.supported:
        yield from _unchanged(lab, case, "P27", lambda request: _shifted(lab, request))


@register(
    "P31",
    "Parameters have an effect",
    sources=("SAMPLE-05", "BATCH-27"),
    needs=(ScoresTokens,),
)
def parameters_have_an_effect(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """A parameter that a request of the case uses works when it is strong.

    With `logit_bias`: the largest bias forces a token, the smallest bans the first one chosen. With a seed and a
    temperature: another seed gives other tokens, unless equal ones are likely by their distributions. With these, or a
    repetition penalty: so it does under the smallest positive penalty, where the tokens of the prompt are drawn alike.
    The last is tried with the longest prompt where no request of the case has any of it.
    """
    answers = tuple(lab.base.valid())
    chosen = [answer.request for answer in answers if _draws_or_penalises(answer.request)]
    if answers and not chosen:
        chosen = [max((answer.request for answer in answers), key=lambda request: len(request.prompt))]
    for answer in answers:
        request = answer.request
        if request.sampling.logit_bias and lab.tolerances.scale < STRONGEST:
            yield from _biased(lab, request)
        if _is_seeded(request):
            yield from _reseeded(lab, answer)
    for request in chosen:
        yield from _strongest_penalty(lab, request)


def _is_seeded(request: Request) -> bool:
    return request.sampling.seed is not None and request.sampling.temperature > 0


def _draws_or_penalises(request: Request) -> bool:
    return _is_seeded(request) or request.sampling.repetition_penalty != 1.0


def rewritten(lab: Lab, case: Trace, change: Change) -> Trace:
    """The case with the sampling parameters of its valid requests changed, as far as they stay in the domain."""
    arrivals = []
    for arrival in case.arrivals:
        request = arrival.request.with_sampling(**({} if arrival.defect else change(arrival.request)))
        fine = not breaches(request, lab.domain, lab.limits)
        arrivals.append(msgspec.structs.replace(arrival, request=request) if fine else arrival)
    return msgspec.structs.replace(case, arrivals=tuple(arrivals))


def _unchanged(lab: Lab, case: Trace, code: str, change: Change) -> Iterator[Violation]:
    changed = rewritten(lab, case, change)
    if changed != case:
        yield from relate(lab, code, lab.base, lab.record(changed), BATCH)


def _neutral(lab: Lab, request: Request) -> dict[str, Any]:
    sampling, limits = request.sampling, lab.limits
    options: dict[str, Any] = {
        "top_k": sampling.top_k or limits.vocab_size,
        "logit_bias": sampling.logit_bias or {limits.vocab_size - 1: 0.0},
        "stop": sampling.stop or (_end_of_text(lab, request) + NEVER,),
        "logprobs": None if sampling.logprobs is not None else min(1, limits.max_logprobs),
        "prompt_logprobs": None if sampling.prompt_logprobs is not None else 0,
    }
    if sampling.temperature == 0:
        options["seed"] = (sampling.seed or 0) + 1 if (sampling.seed or 0) < 2**31 else 0
    return {name: value for name, value in options.items() if name in lab.domain.supported}


def _end_of_text(lab: Lab, request: Request) -> str:
    """The last character of the request's answer, which a stop string that begins with it holds back for a while."""
    answer = lab.base.answers.get(request.id)
    text = answer.samples[0].text if answer is not None and answer.samples else ""
    return text[-1:].replace("\ufffd", "")


def _greedy(request: Request, change: dict[str, Any]) -> dict[str, Any]:
    """What makes a sampled request greedy; a greedy one stays as it is."""
    if request.sampling.temperature == 0:
        return {}
    if not change:
        return {"temperature": 0.0, "n": 1}
    return {"temperature": 1.0, "seed": 1, "n": 1, **change}


def _shifted(lab: Lab, request: Request) -> dict[str, Any]:
    sampling = request.sampling
    if sampling.logit_bias or sampling.repetition_penalty != 1.0:
        return {}
    return {"logit_bias": dict.fromkeys(range(lab.limits.vocab_size), 1.0)}


def _rows_apart(lab: Lab, case: Trace, sampled: list[Request]) -> Iterator[Violation]:
    seeded = [one for one in sampled if one.sampling.seed is not None]
    if not seeded:
        return
    first = next((one for one in seeded if is_filtered(one.sampling)), seeded[0])
    room = lab.limits.context_length - len(first.prompt)
    longer = max(first.sampling.max_tokens, min(DRAWN_TOKENS, room))
    added = {name: value for name, value in FILTERS.items() if name in lab.domain.supported}
    own = {name: getattr(first.sampling, name) for name in added}
    filters = {name: own[name] if own[name] != getattr(NEUTRAL, name) else value for name, value in added.items()}
    request = first.with_sampling(n=1, max_tokens=longer, **filters)
    copies = [
        msgspec.structs.replace(request.with_sampling(temperature=warmth, seed=1), id=f"{request.id}-at-{warmth:g}")
        for warmth in (COLD, HOT)
    ]
    fine = [copy for copy in copies if not breaches(copy, lab.domain, lab.limits)]
    together = lab.record(Trace(arrivals=tuple(Arrival(request=one) for one in (request, *fine)), knobs=case.knobs))
    for one in (request, *fine):
        yield from relate(lab, "P27", lab.alone(one), together, BATCH, pairs=[(one.id, one.id)])


def _parent(lab: Lab, request: Request) -> Request:
    """The request with several samples; one that has a single sample is made hot and longer, so that they part."""
    if request.sampling.n > 1:
        return request
    room = lab.limits.context_length - len(request.prompt)
    longer = max(request.sampling.max_tokens, min(DRAWN_TOKENS, room))
    several = request.with_sampling(n=CHILDREN, temperature=HOT, max_tokens=longer, top_k=0, top_p=1.0, min_p=0.0)
    return request if breaches(several, lab.domain, lab.limits) else several


def _alike(lab: Lab, answer: Answer) -> Iterator[Violation]:
    for first, second in zip(answer.samples, answer.samples[1:], strict=False):
        same = first.tokens == second.tokens and first.complete and second.complete
        if same and _collision(lab, answer, first.index) < COLLISION:
            name = answer.request.id
            message = f"{name}: samples {first.index} and {second.index} are the same {len(first.tokens)} tokens"
            yield Violation(code="P18", slug="samples-alike", message=message, request_id=name)
            return


def _collision(lab: Lab, answer: Answer, index: int) -> float:
    """Probability that independent draws give these tokens again; 1 if the distributions are not known."""
    chance = 1.0
    sampling: SamplingParams = answer.request.sampling
    if sampling.json_schema is not None:
        return chance
    for position, token in enumerate(answer.samples[index].tokens):
        row = lab.processed_row(answer, index, position)
        if row is None or not np.isfinite(row).any():
            return 1.0
        expected = probabilities(row, sampling, lab.tolerances.floor)
        chance *= 1.0 if expected is None else float(expected[token])
    lab.tally.looked += 1
    return chance


def _reseeded(lab: Lab, answer: Answer) -> Iterator[Violation]:
    request = answer.request
    alone = lab.alone(request)
    if not alone.sound or not alone.answers[request.id].samples:
        return
    first = alone.answers[request.id]
    if not first.samples[0].tokens or _collision(lab, first, 0) >= COLLISION:
        return
    other = lab.alone(request.with_sampling(seed=((request.sampling.seed or 0) + ANOTHER_SEED) % 2**31))
    again = other.answers[request.id].samples if other.sound else ()
    if again and again[0].tokens == first.samples[0].tokens:
        message = f"{request.id}: another seed gives the same {len(first.samples[0].tokens)} tokens"
        yield Violation(code="P31", slug="seed-without-effect", message=message, request_id=request.id)


def _strongest_penalty(lab: Lab, request: Request) -> Iterator[Violation]:
    room = lab.limits.context_length - len(request.prompt)
    sampling = SamplingParams(
        temperature=1.0, seed=1, repetition_penalty=SMALLEST, ignore_eos=True, max_tokens=min(DRAWN_TOKENS, room)
    )
    extreme = msgspec.structs.replace(request, sampling=sampling)
    if not breaches(extreme, lab.domain, lab.limits):
        run = lab.alone(extreme)
        if run.sound and run.answers[request.id].accepted:
            yield from _reseeded(lab, run.answers[request.id])


def _biased(lab: Lab, request: Request) -> Iterator[Violation]:
    bound = lab.domain.bounds.get("logit_bias")
    if bound is None or bound.maximum is None or bound.minimum is None or bound.maximum < 100 or bound.minimum > -100:
        return
    plain = request.with_sampling(
        temperature=0.0, n=1, logit_bias={}, repetition_penalty=1.0, min_tokens=0, max_tokens=1, json_schema=None
    )
    token = next(iter(request.sampling.logit_bias))
    usual = _first(lab, plain)
    forced = _first(lab, plain.with_sampling(logit_bias={token: bound.maximum}))
    if usual is None or forced is None:
        return
    lab.tally.looked += 1
    if forced != token:
        message = f"{request.id}: a bias of {bound.maximum:g} for token {token} gives token {forced}"
        yield Violation(code="P31", slug="bias-without-effect", message=message, request_id=request.id)
    elif _first(lab, plain.with_sampling(logit_bias={usual: bound.minimum})) == usual:
        message = f"{request.id}: token {usual} is chosen in spite of a bias of {bound.minimum:g}"
        yield Violation(code="P31", slug="ban-without-effect", message=message, request_id=request.id)


def _first(lab: Lab, request: Request) -> int | None:
    run = lab.alone(request)
    answer = run.answers.get(request.id)
    if answer is None or not run.sound or not answer.samples or not answer.samples[0].tokens:
        return None
    return answer.samples[0].tokens[0]
