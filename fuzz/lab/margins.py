"""What decides a token disagreement: the margin of the two tokens, or whether the disagreement repeats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fuzz.lab.compare import first_disagreement
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.sampling import Row, is_filtered, support
from targets.contract import Request, SamplingParams, TokenLogprobs
from targets.trace import Arrival, Trace

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab

TRIALS = 8
"""Runs of a disagreeing pair under other seeds or tokens."""
ALPHA = 1e-6
"""Repeats count as a defect if near-ties give so many with less than this probability."""
FLIPS = 64
"""Largest chance that a token flips, as a multiple of eps over temperature: borders between all likely tokens move."""
BORDER_MASS = 1e-3


def gap(lab: Lab, answer: Answer, index: int, position: int, one: int, other: int) -> float | None:
    """Distance of the processed logits of two tokens at a position of a greedy sample; None if it is not known."""
    row = lab.processed_row(answer, index, position)
    if row is not None:
        return abs(float(row[one] - row[other])) if np.isfinite(row[[one, other]]).all() else math.inf
    if lab.domain.logprobs_scale != "raw" or answer.request.sampling.repetition_penalty != 1.0:
        return None
    reported = answer.samples[index].logprobs[position] or _reported(lab, answer, index, position)
    output = answer.samples[index].tokens[:position]
    return _listed_gap(reported, answer.request.sampling, output, one, other) if reported else None


def known(lab: Lab) -> bool:
    """Whether margins can be computed here at all, if not for every request."""
    reports = "logprobs" in lab.domain.supported and lab.limits.max_logprobs > 0
    return lab.scores_tokens or (reports and lab.domain.logprobs_scale == "raw")


def _reported(lab: Lab, answer: Answer, index: int, position: int) -> TokenLogprobs | None:
    """The log-probabilities at that position in a run of the request with as many as the target reports."""
    if "logprobs" not in lab.domain.supported or not lab.limits.max_logprobs:
        return None
    sampling = msgspec.structs.replace(answer.request.sampling, logprobs=lab.limits.max_logprobs)
    again = lab.alone(msgspec.structs.replace(answer.request, sampling=sampling)).answers.get(answer.request.id)
    if again is None or index >= len(again.samples):
        return None
    sample, tokens = again.samples[index], answer.samples[index].tokens
    if sample.tokens[:position] != tokens[:position] or position >= len(sample.logprobs):
        return None
    return sample.logprobs[position]


def _listed_gap(
    reported: TokenLogprobs, sampling: SamplingParams, output: tuple[int, ...], one: int, other: int
) -> float | None:
    """The gap of two tokens after bias and penalties; a token that is not listed is no better than the list's end."""
    listed = dict(reported.top)
    if one not in listed and other not in listed:
        return None
    end = min(listed.values())

    def value(token: int) -> float:
        bias = sampling.logit_bias.get(token, 0.0)
        count = output.count(token)
        penalty = sampling.frequency_penalty * count + (sampling.presence_penalty if count else 0.0)
        return listed.get(token, end) + bias - penalty

    if one in listed and other in listed:
        return abs(value(one) - value(other))
    lead = value(one) - value(other) if one in listed else value(other) - value(one)
    return lead if lead > 0 else None


def recurs(lab: Lab, left: tuple[Recording, Answer], right: tuple[Recording, Answer], kind: str) -> bool:
    """Whether a disagreement repeats more often than near-ties do.

    A sampled request is run again under other seeds. A greedy one is run with other tokens of the same arrangement,
    but only where the target tells no margins at all; where it does, a margin that is not known is no evidence.
    """
    request = left[1].request
    if request.sampling.temperature == 0 and known(lab):
        return False
    eps = lab.tolerances.eps(kind)
    if request.sampling.temperature > 0 and _at_border(lab, left[1], right[1], eps):
        return False
    warmth = request.sampling.temperature or 1.0
    chance = min(0.5, FLIPS * eps * max(1, request.sampling.max_tokens) / max(warmth, 1e-9))
    needed = next((count for count in range(1, TRIALS + 1) if _tail(count, chance) <= ALPHA), TRIALS + 1)
    repeats = 0
    for trial in range(1, TRIALS + 1):
        if repeats + TRIALS - trial + 1 < needed:
            return False
        repeats += _disagrees(lab, left, right, trial)
        if repeats >= needed:
            return True
    return False


def _tail(count: int, chance: float) -> float:
    """Probability of at least `count` successes in `TRIALS` independent trials."""
    return sum(math.comb(TRIALS, k) * chance**k * (1 - chance) ** (TRIALS - k) for k in range(count, TRIALS + 1))


def _disagrees(lab: Lab, left: tuple[Recording, Answer], right: tuple[Recording, Answer], trial: int) -> bool:
    runs = []
    for recording, answer in (left, right):
        if answer.request.sampling.temperature > 0:
            trace = _reseeded(recording.trace, answer.request.id, trial)
        else:
            trace = _shifted(lab, recording.trace, trial)
        again = lab.run(trace).answers.get(answer.request.id)
        if again is None or not again.samples:
            return False
        runs.append(again.samples)
    return any(
        first_disagreement(one.tokens, other.tokens) < min(len(one.tokens), len(other.tokens))
        for one, other in zip(*runs, strict=False)
    )


def _reseeded(trace: Trace, name: str, trial: int) -> Trace:
    def changed(request: Request) -> Request:
        if request.id != name:
            return request
        seed = ((request.sampling.seed or 0) + 7919 * trial) % 2**31
        return request.with_sampling(seed=seed)

    return _mapped(trace, changed)


def _shifted(lab: Lab, trace: Trace, trial: int) -> Trace:
    special = {*lab.limits.special_token_ids, *lab.limits.eos_token_ids}
    usable = [token for token in range(lab.limits.vocab_size) if token not in special]
    moved = dict(zip(usable, usable[trial:] + usable[:trial], strict=True))

    def changed(request: Request) -> Request:
        return msgspec.structs.replace(request, prompt=tuple(moved.get(token, token) for token in request.prompt))

    return _mapped(trace, changed)


def _mapped(trace: Trace, change: object) -> Trace:
    assert callable(change)

    def arrived(arrival: Arrival) -> Arrival:
        return msgspec.structs.replace(arrival, request=change(arrival.request))

    return msgspec.structs.replace(trace, arrivals=tuple(arrived(arrival) for arrival in trace.arrivals))


def _at_border(lab: Lab, left: Answer, right: Answer, eps: float) -> bool:
    """Whether a noticeable share of the distribution lies (or may lie) on the border of a filter."""
    if left.request.sampling.json_schema is not None and is_filtered(left.request.sampling):
        return True
    for one, other in zip(left.samples, right.samples, strict=False):
        position = first_disagreement(one.tokens, other.tokens)
        if position >= min(len(one.tokens), len(other.tokens)):
            continue
        row = lab.processed_row(left, one.index, position)
        if row is not None and _unsure_mass(row, left.request, eps) > BORDER_MASS:
            return True
    return False


def _unsure_mass(row: Row, request: Request, eps: float) -> float:
    certain, possible = support(row, request.sampling, eps)
    shares = np.exp((row - row.max()) / request.sampling.temperature)
    return float(shares[possible & ~certain].sum() / shares.sum())
