"""Against a recomputation: full forward pass, another device, changed later tokens, padding."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Sample
from fuzz.lab.relation import relate
from fuzz.lab.sampling import Row, log_softmax, processed
from fuzz.lab.tolerance import BATCH, DEVICE, RECOMPUTE
from fuzz.properties.executors import asked
from fuzz.properties.model import Cost, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, Request, SamplingParams, ScoresTokens
from targets.trace import Arrival, Trace

MOST_COMPARED = 2
"""Samples of a case that are compared with an independent computation, which is slow."""
LEAD = 0.25
"""By how much the padding token is made the best one, where counting padding by mistake would cost it more."""


@register(
    "P16",
    "Incremental equals recompute",
    sources=("CACHE-31", "CACHE-28", "CACHE-12"),
    needs=(ScoresTokens,),
    cost=Cost.OBSERVES,
)
def incremental_equals_recompute(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """Every greedy token is the best one by the logits of a full forward pass over prompt and completion.

    Processed logits are recomputed in float64 from the target's own `logits`; a token may trail the best by 2 eps,
    and is then excused. Holds for whatever lengths, chunks, cache hits and neighbours the case has. Requests with an
    adapter are left out, since `logits` takes none.
    """
    for answer in lab.base.valid():
        for sample in answer.samples:
            rows = lab.step_scores(answer, sample.index) if _is_greedy(answer, sample) else None
            if rows is not None:
                yield from _follows("P16", lab, answer, sample, rows, RECOMPUTE)


@register(
    "P22",
    "Agrees with an independent reference",
    sources=("DEVICE-03", "DEVICE-01", "FINITE-05", "SAMPLE-14", "CACHE-12"),
    needs=(ScoresTokens,),
)
def agrees_with_reference(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """What is generated agrees with an independent computation of the same sequence.

    That is the target's own oracle where it has one (another implementation, in float64), and else the same target in
    float32 on the CPU. Greedy tokens are the best ones within 2 eps; reported log-probabilities, and those of the
    tokens by the target's own `logits`, agree within eps. It is calibrated for the device and dtype. The longest
    sequences that the oracle takes are compared, two for a case.
    """
    samples = [
        (answer, sample)
        for answer in lab.base.valid()
        for sample in answer.samples
        if sample.tokens and sample.finish_reason is not FinishReason.ERROR
    ]
    samples.sort(key=lambda pair: len(pair[0].request.prompt) + len(pair[1].tokens), reverse=True)
    compared = 0
    for answer, sample in samples:
        scores = lab.independent_scores((*answer.request.prompt, *sample.tokens), answer.request.adapter)
        if scores is None:
            continue
        rows = scores[len(answer.request.prompt) - 1 : -1]
        if _is_greedy(answer, sample):
            yield from _follows("P22", lab, answer, sample, rows, DEVICE)
        yield from _reported(lab, answer, sample, rows)
        yield from _recomputed(lab, answer, sample, rows)
        compared += 1
        if compared == MOST_COMPARED:
            return


@register(
    "P23",
    "Causality",
    sources=("DEVICE-01", "CACHE-26"),
    needs=(ScoresTokens,),
)
def causality(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """Logits at a position depend on the tokens up to it alone.

    For the longest sequence of the case: changing all later tokens changes no earlier row of `logits` by more than
    rounding (equal shapes), and leaving them out changes none by more than eps. Cut in the middle and at both ends.
    """
    sequences = [
        (*answer.request.prompt, *sample.tokens)
        for answer in lab.base.valid()
        for sample in answer.samples
        if answer.request.adapter is None
    ]
    tokens = max(sequences, key=len, default=())
    whole = lab.scores(tokens)
    if whole is None:
        return
    for cut in sorted({1, len(tokens) // 2, len(tokens) - 1} - {0, len(tokens)}):
        changed = tuple((token + 1) % lab.limits.vocab_size for token in tokens[cut:])
        later = lab.scores((*tokens[:cut], *changed))
        without = lab.scores(tokens[:cut])
        for name, other, allowed in (("changing", later, False), ("dropping", without, True)):
            if other is None:
                continue
            lab.tally.looked += 1
            distance = float(np.nanmax(np.abs(np.nan_to_num(whole[:cut]) - np.nan_to_num(other[:cut]))))
            if distance > lab.tolerances.floor and not (allowed and distance <= lab.tolerances.eps(RECOMPUTE)):
                message = f"{name} the tokens after position {cut - 1} changes earlier logits by {distance:.3g}"
                yield Violation(code="P23", slug=f"{name}-later-tokens", message=message)
                return


@register(
    "P24",
    "Padding invariance",
    sources=("BATCH-14", "BATCH-24", "BATCH-26", "BATCH-09"),
    fields=("logit_bias",),
    suits=asked.greedy_penalty,
)
def padding_invariance(lab: Lab, case: Trace) -> Iterator[Violation]:
    """How much longer or shorter its neighbours are does not matter to a request, not even to its padding token.

    For a greedy request of the case with a penalty: its padding token is biased to lead narrowly, so that counting
    padding as text, or attending to it, changes the choice; then it runs alone, and behind longer and shorter ones.
    """
    pad = lab.limits.pad_token_id
    penalised = [answer.request for answer in lab.base.valid() if _is_penalised(answer.request.sampling)]
    if pad is None or not penalised:
        return
    request = _padded(lab, penalised[0], pad)
    neighbours = tuple(_neighbour(lab, request, length) for length in (1, len(request.prompt) + 5))
    arrivals = tuple(Arrival(request=one) for one in (*neighbours, request))
    together = lab.record(Trace(arrivals=arrivals, knobs=case.knobs))
    yield from relate(lab, "P24", lab.alone(request), together, BATCH, pairs=[(request.id, request.id)])


def _is_greedy(answer: Answer, sample: Sample) -> bool:
    fine = sample.tokens and sample.finish_reason is not FinishReason.ERROR
    sampling = answer.request.sampling
    # Which tokens a JSON schema leaves to choose from is P32's business.
    return bool(fine) and sampling.temperature == 0 and sampling.json_schema is None


def _follows(code: str, lab: Lab, answer: Answer, sample: Sample, rows: Row, kind: str) -> Iterator[Violation]:
    """Whether each token is the best one by the raw logits `[tokens, vocab]`; near-ties are excused."""
    request = answer.request
    lab.tally.compared += 1
    lab.tally.looked += 1
    excused = False
    for position, token in enumerate(sample.tokens):
        row = rows[position]
        if not np.isfinite(row).any():
            return
        row = processed(row, request.sampling, request.prompt, sample.tokens[:position], lab.limits)
        distance = float(row.max() - row[token])
        # A token that can never be chosen is P25's business.
        if distance == 0 or not np.isfinite(distance):
            continue
        if distance > 2 * lab.tolerances.floor and distance > 2 * lab.tolerances.eps(kind):
            best = int(row.argmax())
            message = (
                f"{request.id}: greedy token {position} is {token}, but the logit of {best} is larger by {distance:.3g}"
            )
            yield Violation(
                code=code,
                slug="not-the-best-token",
                message=message,
                request_id=request.id,
                evidence={"position": position, "length": len(request.prompt) + position, "lead": distance},
            )
            return
        excused = True
    lab.tally.excused += excused


def _reported(lab: Lab, answer: Answer, sample: Sample, rows: Row) -> Iterator[Violation]:
    if lab.domain.logprobs_scale != "raw":
        return
    for position, (row, reported) in enumerate(zip(rows, sample.logprobs, strict=False)):
        if reported is None:
            continue
        lab.tally.looked += 1
        scores = log_softmax(row)
        distance = max(
            abs(float(scores[token]) - value)
            for token, value in ((sample.tokens[position], reported.logprob), *reported.top)
        )
        if not distance <= lab.tolerances.eps(DEVICE):
            name = answer.request.id
            message = f"{name}, token {position}: log-probabilities differ from the CPU in float32 by {distance:.3g}"
            yield Violation(code="P22", slug="logprobs-differ", message=message, request_id=name)
            return


def _recomputed(lab: Lab, answer: Answer, sample: Sample, rows: Row) -> Iterator[Violation]:
    """Whether the target's own full forward pass gives the tokens the same log-probabilities."""
    own = lab.step_scores(answer, sample.index)
    if own is None or not (np.isfinite(own).all() and np.isfinite(rows).all()):
        return
    lab.tally.looked += 1
    for position, token in enumerate(sample.tokens):
        distance = abs(float(log_softmax(own[position])[token] - log_softmax(rows[position])[token]))
        if not distance <= lab.tolerances.eps(DEVICE):
            name = answer.request.id
            message = f"{name}, token {position}: `logits` gives another log-probability, by {distance:.3g}"
            yield Violation(code="P22", slug="logits-differ", message=message, request_id=name)
            return


def _is_penalised(sampling: SamplingParams) -> bool:
    return sampling.temperature == 0 and asked.has_penalty(sampling)


def _padded(lab: Lab, request: Request, pad: int) -> Request:
    """The request with its padding token biased so that it leads the first choice by `LEAD`."""
    sampling = request.sampling
    bound = lab.domain.bounds.get("logit_bias")
    most = bound.maximum if bound is not None and bound.maximum is not None else 100.0
    rows = lab.scores(request.prompt) if request.adapter is None else None
    lead = 5.0
    if rows is not None and np.isfinite(rows[-1]).all():
        row = processed(rows[-1], sampling, request.prompt, (), lab.limits)
        lead = float(row.max() - row[pad]) + LEAD if np.isfinite(row[pad]) else lead
    bias = {pad: max(0.0, min(most, lead))}
    return request.with_sampling(logit_bias=bias)


def _neighbour(lab: Lab, request: Request, length: int) -> Request:
    """A request that is still decoding when the one behind it chooses its first token."""
    most = lab.limits.context_length - request.sampling.max_tokens
    prompt = (request.prompt * (length // len(request.prompt) + 1))[: max(1, min(length, most))]
    tokens = min(lab.limits.context_length - len(prompt), request.sampling.max_tokens + len(request.prompt) + length)
    sampling = msgspec.structs.replace(request.sampling, max_tokens=tokens, ignore_eos=True)
    name = f"{request.id}-beside-{length}"
    return msgspec.structs.replace(request, id=name, prompt=prompt[::-1], sampling=sampling)
