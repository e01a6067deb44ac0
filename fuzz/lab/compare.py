"""The comparison rules of equivalence properties: when two runs of one request count as different.

Greedy tokens are compared up to the first disagreement, never past it, since after a flipped token the rest is
unrelated. A disagreement is excused (and counted) if the two tokens' processed logits lie within `2 * eps` of each
other, because a perturbation of at most eps of every logit cannot flip a wider gap. Independently of tokens, a
log-probability that differs by more than eps is a difference.

A sampled token may flip where the unseen uniform number falls next to a border between two tokens. That is rare and
does not depend on the request, so the pair is run again under other seeds: a defect repeats, a near-tie does not.

An exact comparison (same path, same shapes) excuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from fuzz.lab.recording import Answer, Sample
from fuzz.properties.model import Evidence
from targets.contract import FinishReason, TokenLogprobs

CONTEXT_TOKENS = 8
TEXT_DIFFERS = "text-differs"
"""Slug of equal tokens with unequal texts, and the cause of all such violations: the way from tokens to text."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How two runs of one request differ."""

    slug: str
    """`tokens-differ`, `logprobs-differ`, `prompt-logprobs-differ`, `text-differs`, `finish-differs`, ..."""
    message: str
    evidence: dict[str, Evidence] = {}


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one sample."""

    difference: Difference | None = None
    excused: bool = False
    """It ended at a near-tie; what follows was not compared."""


SAME = Comparison()
EXCUSED = Comparison(excused=True)


@dataclass(frozen=True)
class Rule:
    """How strict to be. `left` is the reference run of the pair."""

    exact: bool
    floor: float
    """Differences up to here are accepted in any case."""
    eps: Callable[[], float]
    """Largest acceptable difference of two logits or log-probabilities; asked only above the floor."""
    gap: Callable[[Sample, int, int, int], float | None]
    """`gap(left, position, a, b)`: distance of the processed logits of two tokens; None if it cannot be known."""
    recurs: Callable[[], bool]
    """Whether the disagreement repeats under other seeds or other tokens."""

    def far(self, distance: float) -> bool:
        """Whether two numbers this far apart (NaN included) count as different."""
        if self.exact or distance != distance:
            return distance != 0.0
        return distance > self.floor and distance > self.eps()


def compare_answers(left: Answer, right: Answer, rule: Rule) -> Iterator[Comparison]:
    """One result for each sample; none if the request was not served in either run."""
    if left.accepted != right.accepted:
        yield Comparison(difference=_admission(left, right))
        return
    if not left.accepted:
        return
    if found := _prompt_logprobs(left, right, rule):
        yield Comparison(difference=found)
    for first, second in zip(left.samples, right.samples, strict=False):
        yield compare_samples(first, second, rule, left.request.sampling.temperature > 0)


def compare_samples(left: Sample, right: Sample, rule: Rule, sampled: bool) -> Comparison:
    """Compare tokens, log-probabilities, text, finish reason and token counts of two runs of one sample."""
    position = first_disagreement(left.tokens, right.tokens)
    if found := _logprobs(left, right, position, rule):
        return Comparison(difference=found)
    if position < min(len(left.tokens), len(right.tokens)):
        if not rule.exact and _near_tie(left, right, position, rule, sampled):
            return EXCUSED
        return Comparison(difference=_tokens(left, right, position))
    return Comparison(difference=_endings(left, right))


def first_disagreement(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """Index of the first different token, or the shorter length."""
    shorter = min(len(left), len(right))
    if left[:shorter] == right[:shorter]:
        return shorter
    return next(index for index in range(shorter) if left[index] != right[index])


def largest_difference(left: TokenLogprobs, right: TokenLogprobs, same_token: bool) -> float:
    """Largest difference of two log-probabilities of the same token, NaN or infinite if they are not comparable.

    A token that only one of the lists holds must not be better than the end of the other list.
    """
    found = [abs(left.logprob - right.logprob)] if same_token and left.logprob != right.logprob else [0.0]
    first, second = dict(left.top), dict(right.top)
    both = first.keys() & second.keys()
    found += [abs(first[token] - second[token]) for token in both if first[token] != second[token]]
    if len(first) == len(second):
        for one, other in ((first, second), (second, first)):
            last = min(other.values(), default=0.0)
            found += [value - last for token, value in one.items() if token not in other]
    return max(found, key=lambda value: float("inf") if value != value else value)


def _near_tie(left: Sample, right: Sample, position: int, rule: Rule, sampled: bool) -> bool:
    gap = None if sampled else rule.gap(left, position, left.tokens[position], right.tokens[position])
    if gap is None:
        return not rule.recurs()
    return gap <= 2 * rule.eps()


def _logprobs(left: Sample, right: Sample, position: int, rule: Rule) -> Difference | None:
    """The first difference up to and including the disagreement, where both runs still have the same context."""
    for index, (first, second) in enumerate(zip(left.logprobs, right.logprobs, strict=False)):
        if index > position:
            return None
        if first is None or second is None or first == second:
            continue
        distance = largest_difference(first, second, index < position)
        if rule.far(distance):
            message = f"log-probabilities of token {index} differ by {distance:.3g}"
            return _difference("logprobs-differ", message, left, right, index, {"difference": distance})
    return None


def _prompt_logprobs(left: Answer, right: Answer, rule: Rule) -> Difference | None:
    first, second = left.prompt_logprobs, right.prompt_logprobs
    if first is None or second is None or first == second:
        return None
    if len(first) != len(second):
        message = f"{len(first)} prompt log-probabilities in one run, {len(second)} in the other"
        return Difference(slug="prompt-logprobs-differ", message=message)
    for position, (one, other) in enumerate(zip(first, second, strict=True)):
        if one is None or other is None:
            distance = 0.0 if one == other else float("inf")
        else:
            distance = largest_difference(one, other, same_token=True)
        if rule.far(distance):
            message = f"log-probabilities at prompt position {position} differ by {distance:.3g}"
            evidence: dict[str, Evidence] = {"position": position, "difference": distance}
            return Difference(slug="prompt-logprobs-differ", message=message, evidence=evidence)
    return None


def _tokens(left: Sample, right: Sample, position: int) -> Difference:
    message = f"token {position} is {left.tokens[position]} in one run and {right.tokens[position]} in the other"
    return _difference("tokens-differ", message, left, right, position, {})


def _endings(left: Sample, right: Sample) -> Difference | None:
    """What follows from equal tokens must be equal too; an aborted run may be shorter."""
    end = min(len(left.tokens), len(right.tokens))
    reasons = {left.finish_reason, right.finish_reason}
    if FinishReason.ERROR in reasons:
        # Who leaves early never sees the error of a request that cannot go on.
        if len(reasons) == 1 or FinishReason.ABORT in reasons:
            return None
        message = f"one run ends with {left.finish_reason}, the other with {right.finish_reason}"
        return _difference("finish-differs", message, left, right, end, {"error": left.error or right.error})
    if not (left.complete and right.complete):
        return None
    pairs: tuple[tuple[str, str, object, object], ...] = (
        ("finish-differs", "number of tokens", len(left.tokens), len(right.tokens)),
        ("finish-differs", "finish reason", left.finish_reason, right.finish_reason),
        ("finish-differs", "stop reason", left.stop_reason, right.stop_reason),
        (TEXT_DIFFERS, "text", left.text, right.text),
        ("usage-differs", "usage", _counts(left), _counts(right)),
    )
    for slug, name, one, other in pairs:
        if one != other:
            return _difference(slug, f"equal tokens, but {name} is {one!r} and {other!r}", left, right, end, {})
    return None


def _counts(sample: Sample) -> tuple[int, int] | None:
    """Prompt and completion tokens; the cached part may differ between runs."""
    return (sample.usage.prompt_tokens, sample.usage.completion_tokens) if sample.usage else None


def _admission(left: Answer, right: Answer) -> Difference:
    served, refused = (left, right) if left.accepted else (right, left)
    why = refused.rejection.field if refused.rejection else refused.failure.error_type if refused.failure else "none"
    message = f"request {served.request.id!r} is served in one run and refused in the other ({why})"
    return Difference(slug="admission-differs", message=message, evidence={"field": why})


def _difference(
    slug: str, message: str, left: Sample, right: Sample, position: int, more: dict[str, Evidence]
) -> Difference:
    window = slice(max(0, position - CONTEXT_TOKENS), position + CONTEXT_TOKENS)
    evidence: dict[str, Evidence] = {
        "sample": left.index,
        "position": position,
        "left": list(left.tokens[window]),
        "right": list(right.tokens[window]),
        **more,
    }
    return Difference(slug=slug, message=message, evidence=evidence)
