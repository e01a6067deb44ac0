"""Text: what is streamed is what a whole decode gives, and texts survive the tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.compare import TEXT_DIFFERS
from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.properties.model import Cost, Evidence, Violation
from fuzz.properties.registry import register
from targets.contract import Detokenizes, FinishReason, Limits, RequestRejected, SamplingParams
from targets.trace import Trace

REPLACEMENT = "\ufffd"
PROBE = "Az 0\té€😀"
"""A tokenizer that keeps this keeps every text; one that does not normalises."""
LONE_SURROGATE = "\ud800"
MOST_TOKENS = 256
"""Tokens of the vocabulary, evenly spaced, whose text is encoded again."""
ENOUGH = 8
"""So few with several characters say nothing: some of any vocabulary never come back by themselves."""


@register(
    "P9",
    "Stream equals non-stream",
    sources=("STREAM-02", "STREAM-03", "STREAM-05", "STREAM-06", "STREAM-01", "STREAM-08"),
    needs=(Detokenizes,),
    cost=Cost.OBSERVES,
)
def stream_equals_whole(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """The deltas of a sample, joined, are the text of its tokens decoded at once.

    A final end-of-sequence or stop token has no text; at a stop string the text ends before it, or after it with
    `include_stop`. U+FFFD appears exactly where a whole decode has it, deltas hold no lone surrogate, and an aborted
    sample shows a beginning of the text. Stop strings that hold U+FFFD themselves are not judged.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            if sample.finish_reason in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.ABORT):
                yield from _streamed(lab, answer, sample)


@register(
    "P33",
    "Tokenizer round trip",
    sources=("VALID-14", "VALID-41", "STREAM-04"),
    needs=(Detokenizes,),
)
def tokenizer_round_trip(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """`detokenize(tokenize(s)) == s` for the texts of the case: prompts, answers, stop strings.

    A tokenizer that normalises text, or refuses some, need only be stable: decoding and encoding again changes nothing
    more. A lone surrogate is refused with a `RequestRejected` that says what is wrong and what is allowed; it is tried
    beside texts that are not ASCII. Of the vocabulary's tokens with several characters at least one comes back as
    itself from its text: otherwise the merges are not in use at all.
    """
    strict = _round_trip(lab, PROBE) == PROBE
    for text in _texts(lab):
        lab.tally.looked += 1
        once = _round_trip(lab, text)
        if once is None and not strict:
            continue
        if once is None or (once != text and strict):
            message = f"{text!r} comes back as {once!r}"
            yield Violation(code="P33", slug="round-trip", message=message)
            return
        if not strict and _round_trip(lab, once) != once:
            message = f"{once!r} is not stable: it comes back as {_round_trip(lab, once)!r}"
            yield Violation(code="P33", slug="unstable", message=message)
            return
        wrong = _unused_merges(lab) if text.isascii() else _lone_surrogate(lab, text)
        if wrong is not None:
            yield wrong
            return


def whole_text(lab: Lab, sampling: SamplingParams, sample: Sample) -> str | None:
    """The text of a sample's tokens, decoded at once and cut at its stop string; None if it cannot be known."""
    full = lab.detokenize(body(sampling, sample, lab.limits))
    if full is None or any(REPLACEMENT in stop for stop in sampling.stop):
        return None
    if not isinstance(sample.stop_reason, str):
        return full
    start = full.find(sample.stop_reason)
    if start < 0:
        return full
    return full[: start + len(sample.stop_reason)] if sampling.include_stop else full[:start]


def body(sampling: SamplingParams, sample: Sample, limits: Limits) -> tuple[int, ...]:
    """The tokens that have text: all but a final end token."""
    ended = sample.finish_reason is FinishReason.STOP and sample.tokens
    if ended and is_end_token(sampling, sample.tokens[-1], limits):
        return sample.tokens[:-1]
    return sample.tokens


def is_end_token(sampling: SamplingParams, token: int, limits: Limits) -> bool:
    """Whether a token ends generation."""
    return token in sampling.stop_token_ids or (token in limits.eos_token_ids and not sampling.ignore_eos)


def _streamed(lab: Lab, answer: Answer, sample: Sample) -> Iterator[Violation]:
    name, shown = answer.request.id, sample.text
    try:
        shown.encode()
    except UnicodeEncodeError:
        message = f"{name}: a delta holds half a character: {shown!r}"
        yield Violation(code="P9", slug="lone-surrogate", message=message, request_id=name)
        return
    whole = whole_text(lab, answer.request.sampling, sample)
    if whole is None:
        return
    lab.tally.looked += 1
    aborted = sample.finish_reason is FinishReason.ABORT
    if (not whole.startswith(shown)) if aborted else shown != whole:
        message = f"{name}: streamed {shown!r}, but its tokens decode to {whole!r}"
        evidence: dict[str, Evidence] = {"deltas": [*sample.deltas]}
        yield Violation(
            code="P9", slug=TEXT_DIFFERS, message=message, request_id=name, evidence=evidence, cause=TEXT_DIFFERS
        )


def _texts(lab: Lab) -> Iterator[str]:
    for answer in lab.base.valid():
        yield from answer.request.sampling.stop
        prompt = lab.detokenize(answer.request.prompt)
        if prompt is not None:
            yield prompt
        for sample in answer.samples:
            yield sample.text


def _round_trip(lab: Lab, text: str) -> str | None:
    try:
        tokens = lab.bench.tokenize(text)
    except RequestRejected:
        return None
    return lab.detokenize(tokens)


def _lone_surrogate(lab: Lab, text: str) -> Violation | None:
    """What is wrong with the answer to a text that cannot be encoded."""
    try:
        lab.bench.tokenize(text + LONE_SURROGATE)
    except RequestRejected as refusal:
        if refusal.field and refusal.allowed and refusal.value is not None:
            return None
        message = f"the refusal of a lone surrogate does not say what is wrong and what is allowed: {refusal}"
        return Violation(code="P33", slug="refusal-says-nothing", message=message)
    message = "a text with a lone surrogate is encoded instead of refused"
    return Violation(code="P33", slug="lone-surrogate", message=message)


def _unused_merges(lab: Lab) -> Violation | None:
    """Whether no token of several characters is ever chosen for its own text."""
    tried = 0
    for token in range(0, lab.limits.vocab_size, max(1, lab.limits.vocab_size // MOST_TOKENS)):
        try:
            text = lab.bench.detokenize((token,))
            if token in lab.limits.special_token_ids or len(text) < 2 or REPLACEMENT in text:
                continue
            tried += 1
            if tuple(lab.bench.tokenize(text)) == (token,):
                return None
        except Exception:  # noqa: BLE001 - a token without text, which no answer would hold
            continue
    if tried < ENOUGH:
        return None
    message = f"none of {tried} tokens with several characters comes back from its own text: merges are not in use"
    return Violation(code="P33", slug="merges-not-in-use", message=message)
