"""Sampled tokens against a small float64 sampler: support, banned tokens, distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.sampling import Row, is_filtered, probabilities, processed, support
from fuzz.lab.tolerance import RECOMPUTE
from fuzz.properties.executors import asked
from fuzz.properties.model import Cost, Evidence, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, Request, ScoresTokens
from targets.domain import NEUTRAL, breaches
from targets.trace import Arrival, Trace

DRAWS = 192
"""Draws of the distribution test; one token each."""
FEW_DRAWS = 48
"""Draws that show which of the candidates a filter leaves: one of two fifths is missing by a chance of 2e-11."""
ALPHA = 1e-6
DECIDED = 0.9
"""Where one token has more than this, a few hundred draws do not show what a filter does."""
SHOWING = 0.15
"""A token with this share is missing from all draws by a chance of 3e-14."""
CANDIDATES = (0.0, 0.4, 0.9, 1.6)
"""How far, in logits over the temperature, the best tokens are then apart from the best one."""
MARGIN = 8.0
"""How far, in the same unit, all others together then trail it."""
COLDEST = 0.05
"""Below this temperature candidates would have to come as close as rounding."""
ENDS_EARLY = "an end token before min_tokens"
"""Cause of choosing a token that is suppressed there, whoever tells of it."""
CUTS: dict[str, Any] = {"top_k": 2, "top_p": 0.6, "min_p": 0.5}
"""Filters that each leave two of those candidates."""


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
    less probable than e**-70 of the best. Of logits that tie exactly a greedy request gets the lowest id, where the
    recomputed logits are the same numbers that the tokens were chosen by. Requests with an adapter or a JSON schema are
    left out.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            free = answer.request.sampling.json_schema is None
            fine = free and sample.tokens and sample.finish_reason is not FinishReason.ERROR
            rows = lab.step_scores(answer, sample.index) if fine else None
            if rows is not None:
                yield from _supported(lab, answer, sample, rows)


@register(
    "P26",
    "Sampler distribution",
    sources=("SAMPLE-13", "SAMPLE-16"),
    needs=(ScoresTokens,),
    fields=("seed", "temperature"),
    suits=asked.draws_to_count,
)
def sampler_distribution(lab: Lab, case: Trace) -> Iterator[Violation]:
    """First tokens drawn under 192 seeds follow the float64 sampler's distribution.

    Tested are prompt and parameters of the case's first sampled request with a filter (top-k, top-p, min-p), or of its
    only request; where one token is nearly certain, or a filter cuts between equals or behind a token that is hardly
    ever drawn, the next best ones are biased to come close to the best, and a filter that does not cut between them is
    set to. Then each filter by itself, under 48 seeds, set to leave two of four candidates that are biased to come
    close. Each token's count, and that of the k most probable ones for each k, gets an exact binomial test; alpha is
    1e-6 over all of them.
    """
    sampled = [a for a in lab.base.valid() if a.request.sampling.temperature > 0]
    sampled = [answer for answer in sampled if answer.request.sampling.json_schema is None]
    filtered = [answer for answer in sampled if is_filtered(answer.request.sampling)]
    # The test is expensive, so a request without filters is tested only where it is the whole case.
    chosen = filtered or (sampled if len(case.arrivals) == 1 else [])
    if not chosen:
        return
    request = chosen[0].request
    series = [_Series(_undecided(lab, request), DRAWS), *(_Series(one, FEW_DRAWS) for one in _one_filter(lab, request))]
    known = [(one, expected) for one in series if (expected := _expected(lab, one.request)) is not None]
    if not known:
        return
    drawn = lab.record(_draws(lab, [one for one, _ in known]))
    for number, (one, expected) in enumerate(known):
        ids = {_draw_id(number, seed) for seed in range(one.draws)}
        answers = [answer for answer in drawn.valid() if answer.request.id in ids]
        tokens = [sample.tokens[0] for answer in answers for sample in answer.samples if sample.tokens]
        if drawn.sound and len(tokens) == one.draws:
            lab.tally.looked += 1
            chance = len(known) * _chance(tokens, expected)
            if chance < ALPHA:
                yield _unlikely(request, one, chance)
                return


class _Series(NamedTuple):
    """A request, and under how many seeds its first token is drawn."""

    request: Request
    draws: int


def _unlikely(request: Request, series: _Series, chance: float) -> Violation:
    used = series.request.sampling
    filters = [f"{name} {value:g}" for name in CUTS if (value := getattr(used, name)) != getattr(NEUTRAL, name)]
    shown = ", ".join(filters) or "no filter"
    message = f"the first tokens of {series.draws} seeds with {shown} are as far from the distribution"
    message += f" with a chance of {chance:.3g}"
    evidence: dict[str, Evidence] = {"p": chance}
    return Violation(code="P26", slug="distribution", message=message, request_id=request.id, evidence=evidence)


def _supported(lab: Lab, answer: Answer, sample: Sample, rows: Row) -> Iterator[Violation]:
    request = answer.request
    lab.tally.looked += 1
    for position, token in enumerate(sample.tokens):
        if not np.isfinite(rows[position]).any():
            return
        row = processed(rows[position], request.sampling, request.prompt, sample.tokens[:position], lab.limits)
        name = request.id
        if np.isneginf(row[token]):
            message = f"{name}: token {position} is {token}, which must not be chosen there"
            yield Violation(code="P25", slug="banned-token", message=message, request_id=name, cause=ENDS_EARLY)
            return
        if request.sampling.temperature == 0:
            if row[token] == row.max() and token != int(row.argmax()) and _same_numbers(lab):
                message = f"{name}: token {position} is {token}, which ties with {int(row.argmax())}"
                yield Violation(code="P25", slug="tie-not-to-the-lowest", message=message, request_id=name)
                return
            continue
        if not support(row, request.sampling, lab.tolerances.floor)[1][token]:
            _, possible = support(row, request.sampling, lab.tolerances.eps(RECOMPUTE))
            if not possible[token]:
                message = f"{name}: token {position} is {token}, outside the support of {int(possible.sum())} tokens"
                yield Violation(code="P25", slug="outside-support", message=message, request_id=name)
                return


def _same_numbers(lab: Lab) -> bool:
    """Whether a full recompute gives bit for bit the logits of the steps; unknown where none are reported."""
    return "logprobs" in lab.domain.supported and lab.tolerances.identical(RECOMPUTE)


def _expected(lab: Lab, request: Request) -> Row | None:
    row = _first_row(lab, request)
    return None if row is None else probabilities(row, request.sampling, lab.tolerances.floor)


def _first_row(lab: Lab, request: Request) -> Row | None:
    """Processed logits `[vocab]` of the first token; None if they are not known or allow none."""
    rows = lab.scores(request.prompt) if request.adapter is None else None
    if rows is None or not len(rows) or not np.isfinite(rows[-1]).any():
        return None
    row = processed(rows[-1], request.sampling, request.prompt, (), lab.limits)
    return row if np.isfinite(row).any() else None


def _undecided(lab: Lab, request: Request) -> Request:
    """The request with the tokens behind the best one biased to come close to it, if filters leave it nearly certain,
    cut between equals, or leave a token last that is hardly ever drawn.

    The request itself where that is not possible in the documented domain.
    """
    row, sampling = _first_row(lab, request), request.sampling
    if row is None or sampling.temperature < COLDEST:
        return request
    left = probabilities(row, sampling, lab.tolerances.floor)
    if left is not None and left.max() <= DECIDED and not (is_filtered(sampling) and _thin(left)):
        return request
    close = _close(lab, request, row)
    return request if close is None else _cutting(lab, close)


def _one_filter(lab: Lab, request: Request) -> Iterator[Request]:
    """The request with its best tokens close to each other, and each filter alone set to cut between them."""
    plain = request.with_sampling(**{name: getattr(NEUTRAL, name) for name in CUTS})
    row = _first_row(lab, plain)
    if row is None or plain.sampling.temperature < COLDEST:
        return
    close = _close(lab, plain, row)
    for name, value in CUTS.items():
        if close is not None and name in lab.domain.supported:
            yield close.with_sampling(**{name: value})


def _close(lab: Lab, request: Request, row: Row) -> Request | None:
    """The request with the tokens behind the best one of `row` biased to come close; None outside the domain."""
    sampling = request.sampling
    # A repetition penalty comes after the bias and bends it, but only for tokens of the prompt.
    fixed = set(request.prompt) if sampling.repetition_penalty != 1.0 else set()
    order = [int(token) for token in np.argsort(-row, kind="stable") if np.isfinite(row[token])]
    chosen = [token for token in order if token not in fixed][: len(CANDIDATES)]
    others = [float(row[token]) for token in order if token not in chosen]
    # Of many other tokens each may be improbable and all of them together not.
    clear = (MARGIN + float(np.log(row.size))) * sampling.temperature
    best = max([float(row[order[0]]), *(other + clear for other in others[:1])])
    raised = {
        token: sampling.logit_bias.get(token, 0.0) + best - float(row[token]) - behind * sampling.temperature
        for token, behind in zip(chosen, CANDIDATES, strict=False)
    }
    biased = request.with_sampling(logit_bias=sampling.logit_bias | raised)
    return None if breaches(biased, lab.domain, lab.limits) else biased


def _thin(shares: Row) -> bool:
    """Whether the least probable token that filters left has so small a share that its absence would not show."""
    return bool(shares[shares > 0].min() < SHOWING)


def _cutting(lab: Lab, request: Request) -> Request:
    """The request, whose best tokens are close to each other, with filters that cut between them."""
    row, sampling = _first_row(lab, request), request.sampling
    if row is None or 1 < support(row, sampling, lab.tolerances.floor)[1].sum() < len(CANDIDATES):
        return request
    changes = {name: value for name, value in CUTS.items() if getattr(sampling, name) != getattr(NEUTRAL, name)}
    return request.with_sampling(**changes)


def _draws(lab: Lab, series: Sequence[_Series]) -> Trace:
    """All of them at once, each draw a request for one token."""
    arrivals = tuple(
        Arrival(request=msgspec.structs.replace(_for_one_token(one.request, seed), id=_draw_id(number, seed)))
        for number, one in enumerate(series)
        for seed in range(one.draws)
    )
    largest = max((value for value in lab.values("max_batch") if isinstance(value, int)), default=None)
    knobs = lab.defaults if largest is None else lab.defaults | {"max_batch": largest}
    return Trace(arrivals=arrivals, knobs=knobs)


def _draw_id(number: int, seed: int) -> str:
    return f"draw-{number}-{seed}"


def _for_one_token(request: Request, seed: int) -> Request:
    fewest = min(1, request.sampling.min_tokens)
    changes: dict[str, Any] = {"max_tokens": 1, "min_tokens": fewest, "n": 1, "logprobs": None}
    return request.with_sampling(**changes, prompt_logprobs=None, stop=(), seed=seed)


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
