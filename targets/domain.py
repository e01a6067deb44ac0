"""The documented domain: which requests an executor promises to serve, and which it promises to refuse."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from targets.contract import Bound, Domain, Limits, Request, RequestRejected, SamplingParams, Target
from targets.errors import unknown
from targets.json_schema import why_not

NEUTRAL = SamplingParams()

INTEGER_FIELDS = ("top_k", "min_tokens", "max_tokens", "logprobs", "prompt_logprobs", "n", "seed")
FLOAT_FIELDS = (
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)
OPTIONAL_FIELDS = ("logprobs", "prompt_logprobs", "seed")

DEFAULT_DOMAIN = Domain(
    bounds={
        "temperature": Bound(minimum=0.0, maximum=2.0),
        "top_k": Bound(minimum=0),
        "top_p": Bound(minimum=0.0, maximum=1.0, above=True),
        "min_p": Bound(minimum=0.0, maximum=1.0),
        "repetition_penalty": Bound(minimum=0.0, maximum=10.0, above=True),
        "presence_penalty": Bound(minimum=-2.0, maximum=2.0),
        "frequency_penalty": Bound(minimum=-2.0, maximum=2.0),
        "seed": Bound(minimum=0, maximum=2**63 - 1),
        "min_tokens": Bound(minimum=0),
        "max_tokens": Bound(minimum=1),
        "logprobs": Bound(minimum=0),
        "prompt_logprobs": Bound(minimum=0),
        "n": Bound(minimum=1),
        "logit_bias": Bound(minimum=-100.0, maximum=100.0),
    },
    supported=tuple(SamplingParams.__struct_fields__),
)
"""The domain of the reference executor; limits of a target (vocabulary, context, samples) apply on top."""


def supporting(*fields: str, greedy_only: bool = False) -> Domain:
    """The default domain for an executor that supports only these fields of `SamplingParams`.

    With `greedy_only` the one valid temperature is 0. Raises `UsageError` for a name that is no field.
    """
    known = SamplingParams.__struct_fields__
    for name in fields:
        if name not in known:
            raise unknown("sampling field", name, known)
    bounds = DEFAULT_DOMAIN.bounds | ({"temperature": Bound(minimum=0.0, maximum=0.0)} if greedy_only else {})
    supported = tuple(dict.fromkeys((*fields, "temperature"))) if greedy_only else fields
    return msgspec.structs.replace(DEFAULT_DOMAIN, bounds=bounds, supported=supported)


def require_valid(request: Request, target: Target) -> None:
    """For executors without a validation of their own: raises `RequestRejected` for the first breach."""
    for breach in breaches(request, target.domain or DEFAULT_DOMAIN, target.limits):
        raise RequestRejected(breach.field, breach.value, breach.allowed)


OF_TOKENS = "tokens"
"""The check of the prompt, of stop tokens and of tokens with a bias."""


@dataclass(frozen=True)
class Breach:
    """One way in which a request leaves the documented domain."""

    field: str
    value: object
    allowed: str
    check: str = ""
    """The check that refuses it, where several fields share one: a bug in that shows in each of them."""

    def __str__(self) -> str:
        return f"{self.field} = {self.value!r}, allowed: {self.allowed}"


def breaches(request: Request, domain: Domain, limits: Limits) -> tuple[Breach, ...]:
    """Every way in which the request leaves the domain; empty for a valid request.

    Judges values of any type (a malformed request is built without validation), and never raises.
    """
    found = list(_prompt_breaches(request, domain, limits))
    sampling: Any = request.sampling
    if not isinstance(sampling, SamplingParams):
        return (*found, Breach("sampling", sampling, "sampling parameters"))
    found += _number_breaches(sampling, domain)
    found += _collection_breaches(sampling, domain, limits)
    found += _unsupported(sampling, domain)
    if not found:
        found += _cross_breaches(request, limits)
    return tuple(found)


def describe(bound: Bound, integer: bool) -> str:
    """`a finite number above 0 and at most 1`, for messages."""
    noun = "an integer" if integer else "a finite number"
    parts = []
    if bound.minimum is not None:
        parts.append(f"{'above' if bound.above else 'at least'} {bound.minimum:g}")
    if bound.maximum is not None:
        parts.append(f"at most {bound.maximum:g}")
    return f"{noun} {' and '.join(parts)}".strip()


def within(value: object, bound: Bound, integer: bool) -> bool:
    """Whether a value of any type is a number of the right kind inside the interval; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int if integer else (int, float)):
        return False
    assert isinstance(value, int | float)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if bound.minimum is not None and (value < bound.minimum or (bound.above and value == bound.minimum)):
        return False
    return bound.maximum is None or value <= bound.maximum


def is_token_id(value: object, limits: Limits) -> bool:
    """Whether a value of any type is a token id of the vocabulary."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limits.vocab_size


def _prompt_breaches(request: Request, domain: Domain, limits: Limits) -> Iterator[Breach]:
    name: Any = request.id
    if not isinstance(name, str) or not name:
        yield Breach("id", name, "a text that is not empty")
    prompt: Any = request.prompt
    if not isinstance(prompt, tuple | list):
        yield Breach("prompt", prompt, "a sequence of token ids")
        return
    if not prompt and not domain.empty_prompt:
        yield Breach("prompt", prompt, "at least one token id")
    for position, token in enumerate(prompt):
        if not is_token_id(token, limits):
            yield Breach(f"prompt[{position}]", token, f"an integer in 0..{limits.vocab_size - 1}", OF_TOKENS)
            return
    if request.adapter is not None and request.adapter not in limits.adapters:
        yield Breach("adapter", request.adapter, f"one of {', '.join(limits.adapters) or 'none'}")
    salt: Any = request.cache_salt
    if salt is not None and not isinstance(salt, str):
        yield Breach("cache_salt", salt, "a text")
    elif salt is not None and not domain.cache_salt:
        yield Breach("cache_salt", salt, "none; this target does not keep salts apart")


def _number_breaches(sampling: SamplingParams, domain: Domain) -> Iterator[Breach]:
    for name in (*INTEGER_FIELDS, *FLOAT_FIELDS):
        value = getattr(sampling, name)
        if value is None and name in OPTIONAL_FIELDS:
            continue
        integer = name in INTEGER_FIELDS
        bound = domain.bounds.get(name, Bound())
        if not within(value, bound, integer):
            yield Breach(f"sampling.{name}", value, describe(bound, integer), _check_of_number(value))
    for name in ("include_stop", "ignore_eos"):
        value = getattr(sampling, name)
        if not isinstance(value, bool):
            yield Breach(f"sampling.{name}", value, "true or false")


def _check_of_number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "number"
    return "finite" if isinstance(value, float) and not math.isfinite(value) else ""


def _collection_breaches(sampling: SamplingParams, domain: Domain, limits: Limits) -> Iterator[Breach]:
    stop: Any = sampling.stop
    if not isinstance(stop, tuple | list) or not all(isinstance(text, str) and text for text in stop):
        yield Breach("sampling.stop", stop, "a list of texts that are not empty")
    elif len(stop) > domain.max_stop:
        yield Breach("sampling.stop", f"{len(stop)} entries", f"at most {domain.max_stop} entries")
    ids: Any = sampling.stop_token_ids
    if not isinstance(ids, tuple | list) or not all(is_token_id(token, limits) for token in ids):
        yield Breach("sampling.stop_token_ids", ids, f"integers in 0..{limits.vocab_size - 1}", OF_TOKENS)
    bias: Any = sampling.logit_bias
    bound = domain.bounds.get("logit_bias", Bound())
    if not isinstance(bias, dict) or not all(is_token_id(token, limits) for token in bias):
        yield Breach("sampling.logit_bias", bias, f"token ids in 0..{limits.vocab_size - 1} as keys", OF_TOKENS)
    elif len(bias) > domain.max_logit_bias:
        yield Breach("sampling.logit_bias", f"{len(bias)} entries", f"at most {domain.max_logit_bias} entries")
    elif not all(within(value, bound, integer=False) for value in bias.values()):
        wrong = next(value for value in bias.values() if not within(value, bound, integer=False))
        allowed = f"{describe(bound, integer=False)} for every token id"
        yield Breach("sampling.logit_bias", bias, allowed, _check_of_number(wrong))
    schema: Any = sampling.json_schema
    if schema is not None and (wanted := why_not(schema)):
        yield Breach("sampling.json_schema", schema, wanted)


def _unsupported(sampling: SamplingParams, domain: Domain) -> Iterator[Breach]:
    for name in sampling.__struct_fields__:
        if name not in domain.supported and getattr(sampling, name) != getattr(NEUTRAL, name):
            yield Breach(f"sampling.{name}", getattr(sampling, name), "its default; this target does not support it")


def _cross_breaches(request: Request, limits: Limits) -> Iterator[Breach]:
    sampling = request.sampling
    room = limits.context_length - len(request.prompt)
    if room < 1:
        yield Breach("prompt", f"{len(request.prompt)} tokens", f"at most {limits.context_length - 1} tokens")
    elif sampling.max_tokens > room:
        yield Breach("sampling.max_tokens", sampling.max_tokens, f"at most {room} after this prompt")
    if sampling.min_tokens > sampling.max_tokens:
        yield Breach("sampling.min_tokens", sampling.min_tokens, f"at most max_tokens = {sampling.max_tokens}")
    if sampling.n > limits.max_samples:
        yield Breach("sampling.n", sampling.n, f"at most {limits.max_samples}")
    if sampling.n > 1 and sampling.temperature == 0:
        yield Breach("sampling.n", sampling.n, "1 when temperature is 0 (greedy samples are all alike)")
    for name in ("logprobs", "prompt_logprobs"):
        asked = getattr(sampling, name)
        if asked is not None and asked > limits.max_logprobs:
            yield Breach(f"sampling.{name}", asked, f"at most {limits.max_logprobs}", "logprobs")
