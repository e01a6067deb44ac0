"""Requests never reach each other, nor do the inputs of one request."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.asked import company
from fuzz.properties.servers.near_ties import differs
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.fields import inputs_of, is_greedy, lookup, prompts_of
from targets.http.dialects.model import Answer, Choice, EndpointKind

ALIKE = 0.99
"""Least cosine of two embeddings of one text: far above what rounding in another batch does, far below another text."""


@server_property(
    "H11",
    "Requests beside or before it change nothing",
    sources=("BATCH-05", "BATCH-09", "BATCH-13", "BATCH-15", "BATCH-16", "LIFE-02", "LIFE-03", "STREAM-15"),
    suits=company,
)
def check_isolation(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """In a case of several exchanges, every repeatable valid request is answered as it is when it is alone.

    So is each input of a request for several embeddings, and each prompt of a greedy request that says how long the
    answers may be: without that, the longest prompt may decide for all.
    """
    for asked in lab.valid():
        if asked.endpoint is not None and asked.endpoint.kind is EndpointKind.EMBED:
            yield from _inputs_apart(lab, asked)
        elif asked.endpoint is not None and asked.endpoint.kind is EndpointKind.COMPLETE:
            yield from _prompts_apart(lab, asked)
    if len(case.exchanges) < 2:
        return
    for asked in lab.valid(generating=True):
        alone, together = _alone(lab, asked), lab.answer(asked)
        if alone is None or alone.problems or together is None or together.problems or not together.choices:
            continue
        lab.tally.looked += 1
        lab.tally.compared += 1
        if apart := _first_difference(lab, asked, alone.choices, together.choices):
            found, one, other = apart
            message = f"choice {one.index} answers {one.text!r} alone, {other.text!r} in company"
            yield lab.violation("H11", f"{found}-differ", message, asked)


def _first_difference(
    lab: HttpLab, single: Asked, alone: Sequence[Choice], together: Sequence[Choice]
) -> tuple[str, Choice, Choice] | None:
    """What differs and the choices it differs in; None if nothing does or the request alone is not steady."""
    for one, other in zip(alone, together, strict=False):
        found = differs(lab, single, one, other)
        if found and lab.still_steady(single):
            return found, one, other
    return None


def _alone(lab: HttpLab, asked: Asked) -> Answer | None:
    """The answer to a repeatable request by itself; to a stream a stream, since what that loses it loses alone, too."""
    plain = lab.steady(asked)
    if plain is None or asked.endpoint is None or asked.body is None:
        return None
    return lab.put(asked.endpoint, asked.body) if lab.dialect.streams(asked.endpoint, asked.body) else plain


def _prompts_apart(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    endpoint, body, together = asked.endpoint, asked.body or {}, lab.answer(asked)
    prompts, bounded = prompts_of(body), isinstance(lookup(body, lab.dialect.max_tokens_field), int)
    if not prompts or not bounded or endpoint is None or not is_greedy(lab.dialect, body):
        return
    if together is None or together.problems or len(together.choices) % len(prompts):
        return
    samples = len(together.choices) // len(prompts)
    lab.tally.looked += 1
    for place, prompt in enumerate(prompts):
        single = lab.derived(endpoint, body | {"prompt": [prompt]})
        alone, answers = lab.answer(single), together.choices[place * samples :][:samples]
        if alone is None or alone.problems or len(alone.choices) != samples:
            continue
        lab.tally.compared += 1
        if apart := _first_difference(lab, single, alone.choices, answers):
            found, one, other = apart
            message = f"prompt {place} is answered by {one.text!r} alone, by {other.text!r} beside others"
            yield lab.violation("H11", f"{found}-differ", message, asked)
            return


def _inputs_apart(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    inputs, together = inputs_of(asked.body or {}), lab.answer(asked)
    if asked.endpoint is None or asked.body is None or not inputs or together is None:
        return
    if len(together.vectors) != len(inputs):
        return
    lab.tally.looked += 1
    for place, (single, vector) in enumerate(zip(inputs, together.vectors, strict=True)):
        alone = lab.put(asked.endpoint, asked.body | {"input": [single]})
        if alone is None or len(alone.vectors) != 1:
            continue
        lab.tally.compared += 1
        if not _alike(vector, alone.vectors[0]):
            message = f"the embedding of input {place} is another one when it is asked for alone"
            yield lab.violation("H11", "embeddings-differ", message, asked)
            return


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    if len(one) != len(other):
        return False
    norms = math.hypot(*one) * math.hypot(*other)
    product = sum(a * b for a, b in zip(one, other, strict=True))
    # A vector of zeros, or of what is no number, says nothing here.
    return not norms or not math.isfinite(norms) or product >= ALIKE * norms
