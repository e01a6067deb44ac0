"""Makes a trace literal: prompts and stop strings that derive from output are filled in from the executor itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fuzz.lab.recording import Sample
from targets.contract import Request
from targets.domain import is_token_id
from targets.trace import Arrival, Follow, StopCut, Trace, is_literal

if TYPE_CHECKING:
    from fuzz.lab.lab import Lab


def resolved(lab: Lab, trace: Trace) -> Trace:
    """The literal trace. Requests stay inside the documented domain; output comes from runs alone at default knobs."""
    if is_literal(trace):
        return trace
    done: dict[str, Request] = {}
    arrivals = []
    for arrival in trace.arrivals:
        literal = _literal(lab, arrival, done)
        done[literal.request.id] = literal.request
        arrivals.append(literal)
    return msgspec.structs.replace(trace, arrivals=tuple(arrivals))


def _literal(lab: Lab, arrival: Arrival, earlier: dict[str, Request]) -> Arrival:
    request = arrival.request
    if arrival.follow is not None:
        request = _following(lab, request, arrival.follow, earlier.get(arrival.follow.request_id))
    if arrival.stop_cut is not None:
        request = _with_stop(lab, request, arrival.stop_cut)
    return msgspec.structs.replace(arrival, request=request, follow=None, stop_cut=None)


def _following(lab: Lab, request: Request, follow: Follow, model: Request | None) -> Request:
    if model is None:
        return request
    kept = model.prompt if follow.keep is None else model.prompt[: max(0, follow.keep)]
    completion: tuple[int, ...] = ()
    if follow.completion:
        most = model.sampling.max_tokens if follow.completion < 0 else follow.completion
        completion = _output(lab, model, most).tokens[:most]
    prompt = (*kept, *completion, *request.prompt)
    return fitted(lab, msgspec.structs.replace(request, prompt=prompt))


def _with_stop(lab: Lab, request: Request, cut: StopCut) -> Request:
    output = _output(lab, request, request.sampling.max_tokens)
    stops = _stops_in(output, cut)
    if not all(stops) or len(request.sampling.stop) + len(stops) > lab.domain.max_stop:
        return request
    return request.with_sampling(stop=(*request.sampling.stop, *stops))


def _stops_in(output: Sample, cut: StopCut) -> tuple[str, ...]:
    """The stop strings that a cut takes from an output; an empty one if there is no text."""
    piece = max(output.deltas, key=len, default="")
    if cut.pair and len(piece) > 1 and piece[-1] != piece[-2]:
        return piece[-1], piece[-2]
    text = output.text
    start = cut.start % max(1, len(text))
    return (text[start : start + max(1, cut.length)],)


def _output(lab: Lab, request: Request, tokens: int) -> Sample:
    """Sample 0 of the request alone; greedy if its draws are not fixed. Empty if the request is not served."""
    changes: dict[str, Any] = {"max_tokens": max(1, min(tokens, request.sampling.max_tokens))}
    changes["min_tokens"] = min(request.sampling.min_tokens, changes["max_tokens"])
    if request.sampling.seed is None and request.sampling.temperature != 0:
        changes |= {"temperature": 0.0, "n": 1}
    asked = request.with_sampling(**changes)
    answer = lab.alone(asked, **lab.defaults).answers.get(request.id)
    served = answer is not None and answer.accepted and answer.samples
    return answer.samples[0] if answer is not None and served else Sample(index=0)


def fitted(lab: Lab, request: Request) -> Request:
    """The request cut to the documented domain: context and `max_tokens`; an empty prompt gets a token."""
    room = lab.limits.context_length
    prompt = tuple(token for token in request.prompt if is_token_id(token, lab.limits))[: room - 1]
    if not prompt and not lab.domain.empty_prompt:
        prompt = (next((t for t in range(lab.limits.vocab_size) if t not in lab.limits.special_token_ids), 0),)
    sampling = request.sampling
    longest = max(1, min(sampling.max_tokens, room - len(prompt)))
    shortest = min(sampling.min_tokens, longest)
    request = msgspec.structs.replace(request, prompt=prompt)
    return request.with_sampling(max_tokens=longest, min_tokens=shortest)
