"""Constrained output: what a JSON schema allows, judged by an independent recogniser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fuzz.lab.json_schema import Schema, accepts, viable
from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.sampling import Row, processed
from fuzz.lab.tolerance import RECOMPUTE
from fuzz.properties.executors.sampling import ENDS_EARLY
from fuzz.properties.executors.text import REPLACEMENT
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason
from targets.trace import Trace

JUDGED_TOKENS = 16
"""Tokens of a sample whose better alternatives are tried."""
ALTERNATIVES = 4
"""Better tokens that are tried at each of them."""
CONTINUATIONS = 512
"""Tokens that are tried where an answer ended before `min_tokens`."""


@register(
    "P32",
    "Constrained output",
    sources=("BATCH-12", "CACHE-34"),
    fields=("json_schema",),
    cost=Cost.OBSERVES,
)
def constrained_output(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """With a JSON schema every completed answer is the compact JSON text of a value that fits it.

    An answer is completed when it ends with an end-of-sequence token; one that a limit, a stop or an abort cuts must be
    a beginning that can be completed. The recogniser is the `json` module and a check of its own. Nothing that the
    schema allows is left out either: a greedy token trails no token of a larger logit (by 2 eps) that keeps the text
    viable; that is asked of 16 tokens a sample where the target scores and converts tokens. An answer that ends before
    `min_tokens` could not have gone on. Refusal of invalid schemas is P4, independence of neighbours P11.
    """
    for answer in lab.base.valid():
        schema = answer.request.sampling.json_schema
        if schema is None:
            continue
        for sample in answer.samples:
            if sample.finish_reason is not FinishReason.ERROR:
                lab.tally.looked += 1
                yield from _conforming(lab, schema, answer, sample)


def _conforming(lab: Lab, schema: Schema, answer: Answer, sample: Sample) -> Iterator[Violation]:
    name, text = answer.request.id, sample.text
    completed = bool(sample.tokens) and sample.tokens[-1] in lab.limits.eos_token_ids
    if completed and isinstance(sample.stop_reason, str):
        completed = False
    if completed and not accepts(schema, text):
        message = f"{name}: the completed answer {text!r} does not fit the schema {schema}"
        yield Violation(code="P32", slug="not-accepted", message=message, request_id=name)
    elif not completed and not viable(schema, text.rstrip(REPLACEMENT)):
        message = f"{name}: nothing can complete the answer {text!r} to fit the schema {schema}"
        yield Violation(code="P32", slug="not-viable", message=message, request_id=name)
    elif answer.request.sampling.temperature == 0:
        yield from _narrowed(lab, schema, answer, sample)


def _narrowed(lab: Lab, schema: Schema, answer: Answer, sample: Sample) -> Iterator[Violation]:
    """Whether a better token was passed over although the schema allows it."""
    rows = lab.step_scores(answer, sample.index)
    request = answer.request
    if rows is None or not lab.detokenizes:
        return
    for position, token in enumerate(sample.tokens[:JUDGED_TOKENS]):
        before = sample.tokens[:position]
        row = processed(rows[position], request.sampling, request.prompt, before, lab.limits)
        if np.isneginf(row[token]) and _goes_on(lab, schema, before, row):
            message = f"{request.id}: token {position} is {token}, which ends it before min_tokens, but others fit"
            yield Violation(code="P32", slug="ends-too-early", message=message, request_id=request.id, cause=ENDS_EARLY)
            return
        for better in _better(lab, row, token):
            if _allows(lab, schema, (*before, better)):
                message = f"{request.id}: token {position} is {token}, but {better} has a larger logit and fits as well"
                yield Violation(code="P32", slug="too-narrow", message=message, request_id=request.id)
                return


def _better(lab: Lab, row: Row, token: int) -> list[int]:
    """Tokens that lead this one by more than 2 eps in processed logits `[vocab]`, the best first."""
    if not np.isfinite(row[token]):
        return []
    lead = row - row[token]
    best = [int(other) for other in np.argsort(-row, kind="stable")[:ALTERNATIVES]]
    clear = [other for other in best if lead[other] > 2 * lab.tolerances.floor]
    return [other for other in clear if lead[other] > 2 * lab.tolerances.eps(RECOMPUTE)]


def _goes_on(lab: Lab, schema: Schema, before: tuple[int, ...], row: Row) -> bool:
    """Whether a token that does not end the answer fits behind these, by processed logits `[vocab]`."""
    others = [int(token) for token in np.argsort(-row, kind="stable")[:CONTINUATIONS] if np.isfinite(row[token])]
    return any(_allows(lab, schema, (*before, token)) for token in others)


def _allows(lab: Lab, schema: Schema, tokens: tuple[int, ...]) -> bool:
    """Whether the schema certainly allows the last of these tokens; a text that ends inside a character is unclear."""
    text, before = lab.detokenize(tokens), lab.detokenize(tokens[:-1])
    if text is None or before is None or text.endswith(REPLACEMENT) or before.endswith(REPLACEMENT):
        return False
    if tokens[-1] in lab.limits.eos_token_ids:
        return accepts(schema, text)
    return tokens[-1] not in lab.limits.special_token_ids and viable(schema, text)
