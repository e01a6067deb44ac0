"""Log-probabilities: reported when asked for, ordered, and the log-softmax of the raw logits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.sampling import Row, log_softmax, neutral
from fuzz.lab.tolerance import RECOMPUTE
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, TokenLogprobs
from targets.trace import Trace

LOGPROB = 1e-4
"""Tolerance of a reported log-probability, beside eps."""


@register(
    "P28",
    "Log-probabilities",
    sources=("SAMPLE-07", "SAMPLE-04", "SAMPLE-18"),
    fields=("logprobs",),
    cost=Cost.OBSERVES,
)
def logprobs_are_right(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """Log-probabilities are reported exactly when asked for, and are the log-softmax of the raw logits.

    Each list of alternatives is sorted (ties by lowest id), distinct, of length min(k, vocabulary), and its
    probabilities do not exceed 1 together; a token that is not in it is no better than the last of it. A greedy token
    without bias and penalties has the highest. The first prompt entry is None and there are as many as prompt tokens.
    Values are compared (1e-4 + eps) where the target scores tokens and documents raw ones.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            if sample.tokens and sample.finish_reason is not FinishReason.ERROR:
                yield from _token_logprobs(lab, answer, sample)
        yield from _prompt_logprobs(lab, answer)


def _token_logprobs(lab: Lab, answer: Answer, sample: Sample) -> Iterator[Violation]:
    request, asked = answer.request, answer.request.sampling.logprobs
    name = request.id
    if any((reported is None) != (asked is None) for reported in sample.logprobs):
        message = f"{name}: logprobs = {asked}, but {[r is not None for r in sample.logprobs]} were reported"
        yield Violation(code="P28", slug="missing-or-unasked", message=message, request_id=name)
        return
    if asked is None:
        return
    lab.tally.looked += 1
    rows = lab.step_scores(answer, sample.index) if lab.domain.logprobs_scale == "raw" else None
    for position, (token, reported) in enumerate(zip(sample.tokens, sample.logprobs, strict=True)):
        assert reported is not None
        row = None if rows is None else rows[position]
        problem = _wrong(lab, token, reported, asked, row)
        if problem is None and _is_not_best(lab, answer, position, reported):
            problem = ("greedy-not-best", f"the greedy token {token} does not have the highest log-probability")
        if problem is not None:
            message = f"{name}, token {position}: {problem[1]}"
            yield Violation(code="P28", slug=problem[0], message=message, request_id=name, cause=_cause(problem[0]))
            return


def _wrong(lab: Lab, token: int, reported: TokenLogprobs, asked: int, row: Row | None) -> tuple[str, str] | None:
    """Slug and sentence for what is wrong with one entry; `row` is the raw logits `[vocab]`, if known."""
    listed = [number for _, number in reported.top]
    ids = [entry for entry, _ in reported.top]
    if len(ids) != min(asked, lab.limits.vocab_size) or len(set(ids)) != len(ids):
        return "top-list", f"{asked} alternatives were asked for, the list holds {ids}"
    if any(after > before for before, after in pairwise(listed)):
        return "top-list", f"the alternatives are not sorted: {listed}"
    if tied := _disordered(reported, row):
        return "top-ties", f"tokens {tied[0]} and {tied[1]} are equally probable, and the higher id stands first"
    if token in ids and abs(dict(reported.top)[token] - reported.logprob) > LOGPROB:
        return "two-values", f"{reported.logprob} as the token, {dict(reported.top)[token]} in the list"
    if row is not None and math.isfinite(float(row.max())):
        scores = log_softmax(row)
        for entry, value in ((token, reported.logprob), *reported.top):
            distance = abs(float(scores[entry]) - value)
            if distance > LOGPROB + lab.tolerances.floor and distance > LOGPROB + lab.tolerances.eps(RECOMPUTE):
                return "wrong-value", f"token {entry} is reported with {value:.6g}, its logits give {scores[entry]:.6g}"
    if listed and token not in ids and reported.logprob > listed[-1] + LOGPROB:
        return "top-not-best", f"the token is reported with {reported.logprob:.6g}, the alternatives with {listed}"
    if sum(math.exp(min(number, 1.0)) for number in listed) > 1 + 1e-3:
        return "top-sum", f"the probabilities of the alternatives exceed 1 together: {listed}"
    return None


def _disordered(reported: TokenLogprobs, row: Row | None) -> tuple[int, int] | None:
    """Neighbours in the list of alternatives that tie, in the report and by their logits, in the wrong order."""
    for (first, before), (second, after) in pairwise(reported.top):
        if first > second and before == after and row is not None and row[first] == row[second]:
            return first, second
    return None


def _is_not_best(lab: Lab, answer: Answer, position: int, reported: TokenLogprobs) -> bool:
    sampling = answer.request.sampling
    if sampling.temperature > 0 or not reported.top or not neutral(sampling, position):
        return False
    distance = reported.top[0][1] - reported.logprob
    return distance > lab.tolerances.floor and distance > 2 * lab.tolerances.eps(RECOMPUTE)


def _prompt_logprobs(lab: Lab, answer: Answer) -> Iterator[Violation]:
    asked, reported, prompt = answer.request.sampling.prompt_logprobs, answer.prompt_logprobs, answer.request.prompt
    name = answer.request.id
    produced = bool(answer.samples and answer.samples[0].tokens)
    if (reported is not None and asked is None) or (reported is None and asked is not None and produced):
        message = f"{name}: prompt_logprobs = {asked}, but {'some' if reported else 'none'} were reported"
        yield Violation(code="P28", slug="prompt-missing-or-unasked", message=message, request_id=name)
    if reported is None or asked is None:
        return
    lab.tally.looked += 1
    if len(reported) != len(prompt) or [entry is None for entry in reported] != [True] + [False] * (len(prompt) - 1):
        missing = [position for position, entry in enumerate(reported) if entry is None]
        message = f"{name}: {len(reported)} entries for {len(prompt)} prompt tokens, None at {missing}"
        yield Violation(code="P28", slug="prompt-shape", message=message, request_id=name)
        return
    raw = answer.request.adapter is None and lab.domain.logprobs_scale == "raw"
    rows = lab.scores(prompt) if raw else None
    for position, entry in enumerate(reported):
        if entry is None:
            continue
        problem = _wrong(lab, prompt[position], entry, asked, None if rows is None else rows[position - 1])
        if problem is not None:
            message = f"{name}, prompt position {position}: {problem[1]}"
            slug, cause = f"prompt-{problem[0]}", _cause(problem[0])
            yield Violation(code="P28", slug=slug, message=message, request_id=name, cause=cause)
            return


def _cause(slug: str) -> str:
    """One list is made like the other: what is wrong with both is wrong once."""
    return f"log-probabilities {slug}"
