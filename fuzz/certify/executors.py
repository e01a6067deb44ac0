"""The steps of a certification on an executor. Each runs on a fresh executor and returns what it proved."""

from __future__ import annotations

import contextlib
import time
from typing import NoReturn

import numpy as np

from fuzz.certify.requests import impossible_request, ordinary_request, repeatable
from fuzz.certify.subject import NotApplicable, Proof, StepFailed, Steps, Subject
from fuzz.lab.driver import Driver
from fuzz.lab.recording import Answer, Recording
from targets.contract import Detokenizes, FinishReason, ReportsResources, Request, ScoresTokens
from targets.domain import DEFAULT_DOMAIN, Breach, breaches
from targets.trace import Arrival, Trace

ABORT_AT = 2
CROWD = 4


def load(subject: Subject) -> Proof:
    """The model loads and an executor opens on it."""
    started = time.perf_counter()
    model = subject.model
    loaded = time.perf_counter() - started
    subject.fresh().close()
    return Proof(f"{type(model).__name__}, loaded in {loaded:.2f} s")


def first_token(subject: Subject) -> Proof:
    """A request gets a token within a bounded number of steps."""
    executor = subject.fresh()
    try:
        request = ordinary_request(subject.target, "first")
        started = time.perf_counter()
        executor.submit(request)
        for number in range(1, 64 + len(request.prompt)):
            events = list(executor.step())
            if any(event.token_id is not None for event in events):
                return Proof(f"after {number} steps and {1000 * (time.perf_counter() - started):.1f} ms")
            if not events:
                raise StepFailed("a step returned nothing although a request was waiting for its first token")
        raise StepFailed(f"no token after {number} steps for a prompt of {len(request.prompt)} tokens")
    finally:
        executor.close()


def canary(subject: Subject) -> Proof:
    """The same request on two fresh executors gets the same tokens."""
    request = ordinary_request(subject.target, "canary")
    tokens = [_whole(_alone(subject, request)) for _ in range(2)]
    if not repeatable(subject.target):
        raise NotApplicable("it offers neither greedy decoding nor a seed, so two answers may differ")
    if tokens[0] != tokens[1]:
        raise StepFailed(f"two answers to one request differ: {tokens[0]} and {tokens[1]}")
    return Proof(f"tokens {list(tokens[0])}", proof=repr(tokens[0]))


def batch(subject: Subject) -> Proof:
    """Several requests at a time all come to their end."""
    requests = [ordinary_request(subject.target, f"b{number}", number) for number in range(CROWD)]
    recording = _run(subject, *(Arrival(request=request) for request in requests))
    for request in requests:
        _whole(recording.answers[request.id])
    return Proof(f"{CROWD} requests in {recording.steps} steps")


def stream(subject: Subject) -> Proof:
    """Tokens come one after another, and the pieces of text are the whole text."""
    answer = _alone(subject, ordinary_request(subject.target, "stream"))
    _whole(answer)
    (sample,) = answer.samples
    moments = len(set(sample.steps))
    if len(sample.tokens) > 1 and moments == 1:
        raise NotApplicable(f"all {len(sample.tokens)} tokens come in one step")
    executor = subject.fresh()
    try:
        if isinstance(executor, Detokenizes) and sample.finish_reason is FinishReason.LENGTH:
            whole = executor.detokenize(sample.tokens)
            if sample.text != whole:
                raise StepFailed(f"the pieces join to {sample.text!r}, the whole text is {whole!r}")
    finally:
        executor.close()
    return Proof(f"{len(sample.tokens)} tokens in {moments} steps")


def abort(subject: Subject) -> Proof:
    """An aborted request ends at once, once, and its neighbour goes on."""
    gone, stays = (ordinary_request(subject.target, name, number) for number, name in enumerate(("gone", "stays")))
    recording = _run(subject, Arrival(request=gone, abort=ABORT_AT), Arrival(request=stays))
    _whole(recording.answers["stays"])
    answer = recording.answers["gone"]
    if answer.aborted is None:
        raise NotApplicable(f"the request was finished before step {ABORT_AT}")
    for sample in answer.samples:
        if sample.terminals != 1 or sample.late or sample.finish_reason is not FinishReason.ABORT:
            raise StepFailed(
                f"the aborted request ended {sample.terminals} times, reason {sample.finish_reason}, "
                f"and {sample.late} events came later"
            )
    return Proof(f"aborted at step {ABORT_AT}, its neighbour finished")


def rejection(subject: Subject) -> Proof:
    """A request outside the documented domain is refused, and the next one served."""
    bad = impossible_request(subject.target, "bad")
    good = ordinary_request(subject.target, "good")
    recording = _run(subject, Arrival(request=bad), Arrival(request=good))
    refusal = recording.answers["bad"].rejection
    if refusal is None:
        raise StepFailed(f"a prompt with token {subject.target.limits.vocab_size} was not refused (RequestRejected)")
    _whole(recording.answers["good"])
    return Proof(f"{refusal.field} = {refusal.value} refused, the next request served")


def finite(subject: Subject) -> Proof:
    """Logits are numbers, and so are the log-probabilities that are reported."""
    said = [text for text in (_finite_logits(subject), _finite_logprobs(subject)) if text]
    if not said:
        raise NotApplicable("it neither scores tokens (ScoresTokens) nor reports log-probabilities")
    return Proof(", ".join(said))


def blocks(subject: Subject) -> Proof:
    """After a batch with an abort every block is free or cached, and nothing waits or runs."""
    requests = [ordinary_request(subject.target, f"r{number}", number) for number in range(CROWD)]
    arrivals = [Arrival(request=request) for request in requests]
    arrivals[0] = Arrival(request=requests[0], abort=1)
    recording = _run(subject, *arrivals)
    idle = recording.closed
    if idle is None:
        raise NotApplicable("it does not report its resources (ReportsResources)")
    if recording.overdrawn is not None:
        raise StepFailed(f"the accounting cannot be right: {recording.overdrawn}")
    if idle.free_blocks + idle.cached_blocks != idle.total_blocks or idle.running or idle.waiting:
        raise StepFailed(f"at idle: {idle}")
    return Proof(f"{idle.free_blocks} free and {idle.cached_blocks} cached of {idle.total_blocks}")


def wedge(subject: Subject) -> NoReturn:
    """Hold a request in the middle for ever; the caller's deadline must end it."""
    executor = subject.fresh()
    executor.submit(ordinary_request(subject.target, "wedged"))
    executor.step()
    while True:
        pass


STEPS: Steps = {
    "load": load,
    "first token": first_token,
    "canary": canary,
    "batch": batch,
    "stream": stream,
    "abort": abort,
    "rejection": rejection,
    "finite": finite,
    "blocks": blocks,
}
WEDGE = wedge


def _run(subject: Subject, *arrivals: Arrival) -> Recording:
    target = subject.target
    domain = target.domain or DEFAULT_DOMAIN

    def classify(request: Request) -> tuple[Breach, ...]:
        return breaches(request, domain, target.limits)

    executor = subject.fresh()
    account = executor.resources if isinstance(executor, ReportsResources) else None
    recording = Driver(executor, Trace(arrivals=arrivals), classify, account, target.modules).run()
    if recording.failure is not None:
        failure = recording.failure
        raise StepFailed(f"{failure.call} raised {failure.error_type}: {failure.message} (in {failure.frame})")
    if not recording.sound:
        how = "a step returned nothing although a request was unfinished" if recording.stuck else "it never ended"
        raise StepFailed(f"{how}, after {recording.steps} steps")
    return recording


def _alone(subject: Subject, request: Request) -> Answer:
    return _run(subject, Arrival(request=request)).answers[request.id]


def _whole(answer: Answer) -> tuple[int, ...]:
    """The tokens of a request that must have been accepted and have ended well."""
    name = answer.request.id
    if answer.rejection is not None:
        refusal = answer.rejection
        raise StepFailed(f"a valid request was refused: {refusal.field} = {refusal.value}, allowed: {refusal.allowed}")
    if answer.failure is not None:
        raise StepFailed(f"submit raised {answer.failure.error_type}: {answer.failure.message}")
    for sample in answer.samples:
        if not sample.complete:
            raise StepFailed(f"request {name!r} ended with {sample.finish_reason}: {sample.error or 'no reason given'}")
        if not sample.tokens:
            raise StepFailed(f"request {name!r} ended without a token")
    return answer.samples[0].tokens


def _finite_logits(subject: Subject) -> str:
    request = ordinary_request(subject.target, "scored")
    with contextlib.closing(subject.fresh()) as executor:
        scorer: object = executor
        if not isinstance(scorer, ScoresTokens):
            return ""
        rows = np.asarray(scorer.logits(request.prompt), dtype=np.float64)
    shape = (len(request.prompt), subject.target.limits.vocab_size)
    if rows.shape != shape:
        raise StepFailed(f"logits of {shape[0]} tokens have the shape {rows.shape}, expected {shape}")
    # Minus infinity masks a token; a row of nothing else leaves no token to choose.
    if np.isnan(rows).any() or np.isposinf(rows).any() or not np.isfinite(rows).any(axis=1).all():
        raise StepFailed(f"{int((~np.isfinite(rows)).sum())} of {rows.size} logits are not finite")
    return f"logits within {rows[np.isfinite(rows)].min():.3g} and {rows[np.isfinite(rows)].max():.3g}"


def _finite_logprobs(subject: Subject) -> str:
    if "logprobs" not in (subject.target.domain or DEFAULT_DOMAIN).supported:
        return ""
    answer = _alone(subject, ordinary_request(subject.target, "logprobs", logprobs=0))
    _whole(answer)
    found = [entry.logprob for sample in answer.samples for entry in sample.logprobs if entry is not None]
    if not found or not np.isfinite(found).all():
        raise StepFailed(f"log-probabilities of the chosen tokens: {found or 'none, though asked for'}")
    return f"{len(found)} log-probabilities"
