"""Sampled tokens against a small float64 sampler: support, banned tokens, distribution."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.sampling import Row, is_filtered, probabilities, processed, support
from fuzz.lab.tolerance import RECOMPUTE
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, Request, ScoresTokens
from targets.trace import Arrival, Trace

DRAWS = 192
"""Draws of the distribution test; one token each."""
ALPHA = 1e-6


@register(
    "P25",
    "Sampler support",
    sources=("SAMPLE-02", "SAMPLE-06", "SAMPLE-16", "SAMPLE-12"),
    needs=(ScoresTokens,),
    cost=Cost.OBSERVES,
)
def sampler_support(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """A sampled token lies in the support that a float64 sampler computes from recomputed logits.

    Filters apply in the documented order: top-k, top-p, min-p. Tokens within eps (and 1e-6 of probability) of a border
    may be in or out. No token, greedy or sampled, has an end token's suppressed logit before `min_tokens`, and none is
    less probable than e**-70 of the best. Requests with an adapter are left out.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            fine = sample.tokens and sample.finish_reason is not FinishReason.ERROR
            rows = lab.step_scores(answer, sample.index) if fine else None
            if rows is not None:
                yield from _supported(lab, answer, sample, rows)


@register(
    "P26",
    "Sampler distribution",
    sources=("SAMPLE-13", "SAMPLE-16"),
    needs=(ScoresTokens,),
    fields=("seed", "temperature"),
)
def sampler_distribution(lab: Lab, case: Trace) -> Iterator[Violation]:
    """First tokens drawn under 192 seeds follow the float64 sampler's distribution.

    Tested are prompt and parameters of the case's first sampled request with a filter (top-k, top-p, min-p), or of its
    only request. Each token's count, and that of the k most probable ones for each k, gets an exact binomial test;
    alpha is 1e-6 over all of them.
    """
    sampled = [answer for answer in lab.base.valid() if answer.request.sampling.temperature > 0]
    filtered = [answer for answer in sampled if is_filtered(answer.request.sampling)]
    # The test is expensive, so a request without filters is tested only where it is the whole case.
    chosen = filtered or (sampled if len(case.arrivals) == 1 else [])
    if not chosen:
        return
    answer = chosen[0]
    expected = _expected(lab, answer.request)
    if expected is None:
        return
    drawn = lab.record(_draws(lab, answer.request))
    tokens = [sample.tokens[0] for one in drawn.valid() for sample in one.samples if sample.tokens]
    if drawn.sound and len(tokens) == DRAWS:
        lab.tally.looked += 1
        chance = _chance(tokens, expected)
        if chance < ALPHA:
            message = (
                f"the first tokens of {DRAWS} seeds are as far from the distribution with a chance of {chance:.3g}"
            )
            yield Violation(
                code="P26", slug="distribution", message=message, request_id=answer.request.id, evidence={"p": chance}
            )


def _supported(lab: Lab, answer: Answer, sample: Sample, rows: Row) -> Iterator[Violation]:
    request = answer.request
    lab.tally.looked += 1
    for position, token in enumerate(sample.tokens):
        if not np.isfinite(rows[position]).any():
            return
        row = processed(rows[position], request.sampling, request.prompt, sample.tokens[:position], lab.limits)
        if not np.isfinite(row).any():
            return
        name = request.id
        if np.isneginf(row[token]):
            message = f"{name}: token {position} is {token}, which must not be chosen there"
            yield Violation(code="P25", slug="banned-token", message=message, request_id=name)
            return
        if request.sampling.temperature == 0:
            continue
        if not support(row, request.sampling, lab.tolerances.floor)[1][token]:
            _, possible = support(row, request.sampling, lab.tolerances.eps(RECOMPUTE))
            if not possible[token]:
                message = f"{name}: token {position} is {token}, outside the support of {int(possible.sum())} tokens"
                yield Violation(code="P25", slug="outside-support", message=message, request_id=name)
                return


def _expected(lab: Lab, request: Request) -> Row | None:
    rows = lab.scores(request.prompt) if request.adapter is None else None
    if rows is None or not len(rows) or not np.isfinite(rows[-1]).any():
        return None
    row = processed(rows[-1], request.sampling, request.prompt, (), lab.limits)
    if not np.isfinite(row).any():
        return None
    return probabilities(row, request.sampling, lab.tolerances.floor)


def _draws(lab: Lab, request: Request) -> Trace:
    base = msgspec.structs.replace(
        request.sampling, max_tokens=1, min_tokens=min(1, request.sampling.min_tokens), n=1, logprobs=None
    )
    base = msgspec.structs.replace(base, prompt_logprobs=None, stop=())
    arrivals = tuple(
        Arrival(
            request=msgspec.structs.replace(
                request, id=f"draw-{seed}", sampling=msgspec.structs.replace(base, seed=seed)
            )
        )
        for seed in range(DRAWS)
    )
    largest = max((value for value in lab.values("max_batch") if isinstance(value, int)), default=None)
    knobs = lab.defaults if largest is None else lab.defaults | {"max_batch": largest}
    return Trace(arrivals=arrivals, knobs=knobs)


def _chance(tokens: list[int], expected: Row) -> float:
    """Smallest exact binomial probability of a count this extreme, times the number of counts looked at.

    Counted are each token of the distribution `[vocab]`, and the k most probable ones together for each k. The bound
    is conservative whatever the distribution, unlike a chi-square statistic with small expected counts.
    """
    from scipy.stats import binom

    order = np.argsort(-expected, kind="stable")
    shares = expected[order]
    counts = np.bincount(tokens, minlength=expected.size)[order]
    chances = np.clip(np.concatenate([shares, np.cumsum(shares)]), 0.0, 1.0)
    seen = np.concatenate([counts, np.cumsum(counts)])
    fewer, more = binom.cdf(seen, len(tokens), chances), binom.sf(seen - 1, len(tokens), chances)
    return float(min(1.0, 2 * seen.size * np.minimum(fewer, more).min()))
