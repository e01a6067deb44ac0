"""Numbers beside the text: limits, finish reasons, usage, and prefixes of longer answers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.relation import relate_answers
from fuzz.lab.tolerance import BATCH, RECOMPUTE
from fuzz.properties.executors.text import REPLACEMENT, body, is_end_token
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, Request
from targets.domain import is_token_id
from targets.trace import Trace

MOST = 2
"""Requests of a case whose prefixes are tried."""


@register(
    "P29",
    "Limits and accounting",
    sources=("LIMITS-01", "LIMITS-02", "LIMITS-05", "LIMITS-06", "LIMITS-08", "STREAM-07"),
    cost=Cost.OBSERVES,
)
def limits_and_accounting(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """A finished sample has 1..max_tokens tokens, all ids of the vocabulary and counted; `length` means max_tokens.

    It ends at its first end-of-sequence or stop token (none before `min_tokens`) and at the earliest stop string,
    which the text does not show, or shows at its end with `include_stop`. A stop wins over the length. The stop
    reason names what ended it; `prompt_tokens` is the prompt's length and `cached_tokens` is less. Stop strings are
    not judged beside `min_tokens` (engines differ in whether it holds them back) or if they hold U+FFFD. A text that is
    complete by its JSON schema may end before `min_tokens`.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            lab.tally.looked += 1
            for slug, message in _accounting(lab, answer.request, sample):
                name = answer.request.id
                yield Violation(code="P29", slug=slug, message=f"{name}: {message}", request_id=name)


@register(
    "P30",
    "Prefix relation",
    sources=("CACHE-32", "CACHE-03"),
)
def prefix_relation(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """With a smaller `max_tokens` a request gives a beginning of the same tokens.

    And a second turn (the prompt and the beginning of its completion as a new prompt) gives the rest of them; that is
    asked of greedy requests without presence or frequency penalty, stop strings and JSON schema.
    """
    chosen = [answer for answer in lab.base.valid() if answer.deterministic and answer.request.sampling.max_tokens > 1]
    for answer in chosen[:MOST]:
        yield from _shorter(lab, answer.request)
        yield from _second_turn(lab, answer.request)


def _accounting(lab: Lab, request: Request, sample: Sample) -> Iterator[tuple[str, str]]:
    """Slug and sentence for each thing that is wrong with a sample's ending."""
    sampling, count = request.sampling, len(sample.tokens)
    strange = [token for token in sample.tokens if not is_token_id(token, lab.limits)]
    if strange:
        yield "no-token-id", f"{strange[0]!r} is no id in 0..{lab.limits.vocab_size - 1}"
        return
    if count > sampling.max_tokens or (sample.complete and count < 1):
        yield "token-count", f"{count} tokens with max_tokens = {sampling.max_tokens}"
    if sample.terminals and sample.usage is None:
        yield "usage-missing", "the last event carries no usage"
    if sample.usage is not None:
        yield from _usage(request, sample)
    if sample.finish_reason is FinishReason.LENGTH and count != sampling.max_tokens:
        yield "length-too-early", f"`length` after {count} of {sampling.max_tokens} tokens"
    ends = [position for position, token in enumerate(sample.tokens) if is_end_token(sampling, token, lab.limits)]
    if ends and ends[0] != count - 1:
        yield "end-token-ignored", f"token {ends[0]} is an end token, but {count} tokens were generated"
    if ends and ends[0] < sampling.min_tokens and sampling.json_schema is None:
        yield "min-tokens", f"an end token at {ends[0]} with min_tokens = {sampling.min_tokens}"
    if sample.finish_reason is FinishReason.STOP:
        yield from _stopped(request, sample, bool(ends))
    elif ends and sample.complete:
        yield "stop-not-reported", f"it ends with an end token and the finish reason {sample.finish_reason}"
    yield from _stop_text(lab, request, sample)


def _usage(request: Request, sample: Sample) -> Iterator[tuple[str, str]]:
    usage = sample.usage
    assert usage is not None
    if usage.prompt_tokens != len(request.prompt) or usage.completion_tokens != len(sample.tokens):
        counted = f"{usage.prompt_tokens} + {usage.completion_tokens}"
        yield "usage", f"usage says {counted} tokens, there are {len(request.prompt)} + {len(sample.tokens)}"
    if not 0 <= usage.cached_tokens <= max(0, len(request.prompt) - 1):
        yield "cached-tokens", f"{usage.cached_tokens} cached of {len(request.prompt)} prompt tokens"


def _stopped(request: Request, sample: Sample, ended: bool) -> Iterator[tuple[str, str]]:
    reason = sample.stop_reason
    if isinstance(reason, str):
        if reason not in request.sampling.stop:
            yield "stop-reason", f"stop reason {reason!r} is none of its stop strings"
    elif not ended:
        yield "stop-without-cause", f"`stop` ({reason!r}), but its last token is no end token"
    elif reason is not None and reason != sample.tokens[-1]:
        yield "stop-reason", f"stop reason {reason}, but the last token is {sample.tokens[-1]}"


def _stop_text(lab: Lab, request: Request, sample: Sample) -> Iterator[tuple[str, str]]:
    """The stop string that ended it is the earliest one, none came before, and the text shows it only if asked."""
    sampling = request.sampling
    unclear = any(REPLACEMENT in stop for stop in sampling.stop) or sampling.min_tokens > 0
    if not sampling.stop or not sample.complete or unclear:
        return
    reason = sample.stop_reason if isinstance(sample.stop_reason, str) else None
    shown = sample.text
    if reason is not None and sampling.include_stop:
        if not shown.endswith(reason):
            yield "stop-not-shown", f"include_stop, but {shown!r} does not end with {reason!r}"
        shown = shown[: len(shown) - len(reason)]
    found = [stop for stop in sampling.stop if stop in shown]
    if found:
        yield "stop-shown", f"the stop string {found[0]!r} is in the text {shown!r}"
    yield from _earliest(lab, request, sample, reason)


def _earliest(lab: Lab, request: Request, sample: Sample, reason: str | None) -> Iterator[tuple[str, str]]:
    sampling = request.sampling
    before = lab.detokenize(sample.tokens[:-1])
    whole = lab.detokenize(body(sampling, sample, lab.limits))
    if before is None or whole is None:
        return
    late = [stop for stop in sampling.stop if stop in before.rstrip(REPLACEMENT)]
    if late:
        yield "stop-missed", f"{late[0]!r} was complete before the last token: {before!r}"
    matches = [(whole.find(stop), len(stop), stop) for stop in sampling.stop if stop in whole]
    if not matches and reason is not None:
        yield "stop-without-cause", f"stop reason {reason!r} is not in {whole!r}"
    elif matches and reason != min(matches)[2] and whole.find(reason or "") != min(matches)[0]:
        yield "stop-not-earliest", f"stop reason {reason!r}, but {min(matches)[2]!r} starts first in {whole!r}"
    elif matches and reason is None:
        yield "stop-missed", f"{min(matches)[2]!r} is in {whole!r}, but the stop reason is {sample.stop_reason!r}"


def _shorter(lab: Lab, request: Request) -> Iterator[Violation]:
    count = request.sampling.max_tokens // 2
    fewest = min(request.sampling.min_tokens, count)
    sampling = msgspec.structs.replace(request.sampling, max_tokens=count, min_tokens=fewest)
    short = msgspec.structs.replace(request, sampling=sampling)
    long_run, short_run = lab.alone(request), lab.alone(short)
    if long_run.sound and short_run.sound:
        whole, part = long_run.answers[request.id], short_run.answers[request.id]
        if whole.accepted and part.accepted:
            yield from relate_answers(lab, "P30", (long_run, _open(whole, 0)), (short_run, _open(part, 0)), BATCH)


def _second_turn(lab: Lab, request: Request) -> Iterator[Violation]:
    sampling = request.sampling
    if sampling.temperature > 0 or sampling.stop or sampling.presence_penalty or sampling.frequency_penalty:
        return
    if sampling.json_schema is not None:
        return
    first_run = lab.alone(request)
    answer = first_run.answers[request.id] if first_run.sound else None
    if answer is None or not answer.accepted or len(answer.samples[0].tokens) < 2:
        return
    tokens = answer.samples[0].tokens
    taken = len(tokens) // 2
    rest = msgspec.structs.replace(
        sampling,
        max_tokens=sampling.max_tokens - taken,
        min_tokens=max(0, sampling.min_tokens - taken),
        prompt_logprobs=None,
    )
    turn = msgspec.structs.replace(request, prompt=(*request.prompt, *tokens[:taken]), sampling=rest)
    second_run = lab.alone(turn)
    if second_run.sound and second_run.answers[request.id].accepted:
        second = second_run.answers[request.id]
        yield from relate_answers(
            lab,
            "P30",
            (first_run, _open(answer, taken)),
            (second_run, _open(second, 0)),
            RECOMPUTE,
            repeatable=False,
        )


def _open(answer: Answer, taken: int) -> Answer:
    """The answer from token `taken` on, without its ending, which a different limit may change."""
    prompt = (*answer.request.prompt, *answer.samples[0].tokens[:taken])
    samples = tuple(
        msgspec.structs.replace(
            sample, tokens=sample.tokens[taken:], logprobs=sample.logprobs[taken:], finish_reason=None
        )
        for sample in answer.samples
    )
    request = msgspec.structs.replace(answer.request, prompt=prompt) if taken else answer.request
    return msgspec.structs.replace(answer, request=request, samples=samples, prompt_logprobs=None)
