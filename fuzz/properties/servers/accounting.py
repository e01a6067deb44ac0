"""What a response says of its own length is true."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from fuzz.lab.server_causes import unread
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.fields import lookup
from targets.http.dialects.model import Answer, Choice, EndpointKind

_FEWEST_LOGPROBS = -1e-6

STOP_KEPT = "answer stop-kept"
"""Cause of all violations by a text that goes on to its stop string, or past it."""
TOO_LONG = "answer too-long"
"""Cause of all violations by more tokens than were asked for."""
TOO_FEW = "answer too-few-tokens"
"""Cause of all violations by fewer tokens than were counted."""


@server_property(
    "H29",
    "Limits are kept and tokens counted",
    sources=("BATCH-16", "LIMITS-01", "LIMITS-02", "STREAM-07", "STREAM-13", "STREAM-15"),
    cost=Cost.OBSERVES,
)
def check_accounting(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """At most `max_tokens` tokens a choice; the total is the sum; a prompt of ids has their number; `n` choices come.

    The finish reason for length comes only with exactly `max_tokens` tokens, and no stop string is in the text. Where
    log-probabilities tell the tokens of each choice, both hold for each (BATCH-16 gave one choice those of another).
    """
    del case
    for asked in lab.valid():
        answer = lab.answer(asked)
        if answer is None or answer.problems or answer.error or asked.body is None:
            continue
        lab.tally.looked += 1
        yield from _usage(lab, asked, answer)
        if answer.choices:
            yield from _choices(lab, asked, answer)


@server_property(
    "H28", "Log-probabilities are such", sources=("SAMPLE-07", "SAMPLE-18", "STREAM-14"), cost=Cost.OBSERVES
)
def check_logprobs(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Log-probabilities are at most 0, and there is one for every completion token.

    Where offsets of tokens in the text are told, a token and the next one are its characters apart.
    """
    del case
    for asked in lab.valid(generating=True):
        answer = lab.answer(asked)
        for choice in answer.choices if answer else ():
            if choice.logprobs is None or choice.tokens is None:
                continue
            lab.tally.looked += 1
            if any(number > -_FEWEST_LOGPROBS for number in choice.logprobs):
                yield lab.violation("H28", "positive", f"a log-probability is {max(choice.logprobs)}", asked)
            usage = answer.usage if answer is not None and len(answer.choices) == 1 else None
            counted = usage.completion if usage is not None else None
            if counted is not None and counted != len(choice.tokens):
                message = f"{len(choice.tokens)} log-probabilities for {counted} tokens"
                cause = TOO_FEW if counted > len(choice.tokens) else ""
                yield lab.violation("H28", "count", message, asked, cause=cause)
            if problem := misplaced(choice):
                yield lab.violation("H28", "offset", problem, asked)


def misplaced(choice: Choice) -> str:
    """What is wrong with the offsets; of tokens that are empty or hold part of a character nothing is known."""
    tokens, offsets = choice.tokens or (), choice.offsets
    if len(offsets) != len(tokens):
        return ""
    for token, (here, following) in zip(tokens, pairwise(offsets), strict=False):
        whole = token and "\ufffd" not in token
        if whole and following - here != len(token) and token in choice.text:
            return f"the token {token!r} begins at {here} and the next one at {following}: {len(token)} characters"
    return ""


def _usage(lab: HttpLab, asked: Asked, answer: Answer) -> Iterator[Violation]:
    usage = answer.usage
    if usage is None:
        return
    if usage.total is not None and usage.total != (usage.prompt or 0) + (usage.completion or 0):
        yield lab.violation("H29", "total", f"the total is not the sum: {usage}", asked)
    sent = _ids(asked)
    if sent is not None and usage.prompt != sent:
        yield lab.violation("H29", "prompt-tokens", f"{sent} token ids are counted as {usage.prompt}", asked)
    if answer.choices and any(choice.text for choice in answer.choices) and usage.completion == 0 and not _echo(asked):
        yield lab.violation("H29", "completion-tokens", "a text that is not empty has no tokens", asked)
    if usage.prompt == 0:
        yield lab.violation("H29", "prompt-tokens", "a prompt that is not empty has no tokens", asked)


def _choices(lab: HttpLab, asked: Asked, answer: Answer) -> Iterator[Violation]:
    assert asked.body is not None
    expected = _expected_choices(asked)
    if expected is not None and len(answer.choices) != expected:
        message = f"{len(answer.choices)} choices came, {expected} were asked for"
        alone = len(answer.choices) * (asked.body.get("n") or 1) == expected
        yield lab.violation("H29", "choice-count", message, asked, cause=unread("n") if alone else "")
    limit = lookup(asked.body, lab.dialect.max_tokens_field)
    completion = answer.usage.completion if answer.usage else None
    # Ollama's -1 fills the context.
    if isinstance(limit, int) and limit > 0 and completion is not None:
        if completion > limit * len(answer.choices):
            message = f"{completion} tokens came, at most {limit} a choice"
            yield lab.violation("H29", "max-tokens", message, asked, cause=TOO_LONG)
        [first, *others] = answer.choices
        cut = not others and first.finish == lab.dialect.length_finish
        if cut and completion != limit:
            message = f"cut off for length after {completion} of {limit} tokens"
            yield lab.violation("H29", "finish-length", message, asked, cause=TOO_FEW)
        yield from _each(lab, asked, answer, limit) if others and not _echo(asked) else ()
    yield from _stops(lab, asked, answer)


def _each(lab: HttpLab, asked: Asked, answer: Answer, limit: int) -> Iterator[Violation]:
    for number, choice in enumerate(answer.choices):
        count = limit if choice.tokens is None else len(choice.tokens)
        if count > limit:
            message = f"choice {number} has {count} tokens, at most {limit} were asked for"
            yield lab.violation("H29", "max-tokens", message, asked, cause=TOO_LONG)
        elif count < limit and choice.finish == lab.dialect.length_finish:
            message = f"choice {number} is cut off for length after {count} of {limit} tokens"
            yield lab.violation("H29", "finish-length", message, asked, cause=TOO_FEW)


def _stops(lab: HttpLab, asked: Asked, answer: Answer) -> Iterator[Violation]:
    found = lookup(asked.body, lab.dialect.stop_field)
    stops = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    if _echo(asked):
        return
    for choice in answer.choices:
        inside = [stop for stop in stops if stop and stop in choice.text]
        if inside:
            message = f"the text holds the stop string {inside[0]!r}"
            yield lab.violation("H29", "stop-in-text", message, asked, cause=STOP_KEPT)


def _ids(asked: Asked) -> int | None:
    """Token ids in the prompt, if it is given as ids."""
    body = asked.body or {}
    prompt = body.get("prompt", body.get("input"))
    if not isinstance(prompt, list) or not prompt:
        return None
    if all(isinstance(item, int) for item in prompt):
        return len(prompt)
    lists = all(isinstance(item, list) for item in prompt)
    return sum(map(len, prompt)) if lists else None


def _expected_choices(asked: Asked) -> int | None:
    body, endpoint = asked.body or {}, asked.endpoint
    if endpoint is None or endpoint.kind is EndpointKind.EMBED:
        return None
    prompt = body.get("prompt")
    several = isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
    return (len(prompt) if several and isinstance(prompt, list) else 1) * (body.get("n") or 1)


def _echo(asked: Asked) -> bool:
    return bool((asked.body or {}).get("echo"))
