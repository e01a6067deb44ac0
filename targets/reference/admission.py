"""What the engine refuses, checked at its door: every field's documented domain and the limits of this engine.

Requests may come from untrusted bodies, so values of any type are judged, and nothing but `RequestRejected` leaves.
"""

from __future__ import annotations

from typing import Any

from targets.contract import Limits, Request, RequestRejected, SamplingParams
from targets.reference.sampling.grammar import SchemaError, grammar_of
from targets.reference.settings import EngineSettings

MAX_STOP_STRINGS = 16
MAX_BIASES = 300
MAX_BIAS = 100.0
MAX_SEED = 2**63 - 1


def admit(request: Request, limits: Limits, settings: EngineSettings) -> None:
    """Pass a request that the engine can serve. Raises `RequestRejected` for any other."""
    _check_identity(request, limits)
    _check_prompt(request.prompt, limits)
    sampling: Any = request.sampling
    if not isinstance(sampling, SamplingParams):
        raise RequestRejected("sampling", sampling, "sampling parameters")
    _check_numbers(sampling)
    _check_stops(sampling, limits)
    _check_bias(sampling, limits)
    _check_schema(sampling)
    _check_lengths(request, limits)
    _check_logprobs(sampling, limits)
    _check_samples(sampling, limits)
    _check_pool(request, settings)


def _check_identity(request: Request, limits: Limits) -> None:
    name: Any = request.id
    if not isinstance(name, str) or not name:
        raise RequestRejected("id", name, "a text that is not empty")
    adapter: Any = request.adapter
    if adapter is not None and adapter not in limits.adapters:
        raise RequestRejected("adapter", adapter, f"one of {', '.join(limits.adapters)}")
    salt: Any = request.cache_salt
    if salt is not None and not isinstance(salt, str):
        raise RequestRejected("cache_salt", salt, "a text")


def _check_prompt(prompt: Any, limits: Limits) -> None:
    if not isinstance(prompt, tuple | list) or not prompt:
        raise RequestRejected("prompt", prompt, "a sequence of at least one token id")
    for position, token in enumerate(prompt):
        _check_token(f"prompt[{position}]", token, limits)
    if len(prompt) >= limits.context_length:
        raise RequestRejected("prompt", f"{len(prompt)} tokens", f"at most {limits.context_length - 1} tokens")


def _check_numbers(sampling: SamplingParams) -> None:
    _check_number("temperature", sampling.temperature, 0, 2)
    _check_number("top_p", sampling.top_p, 0, 1, positive=True)
    _check_number("min_p", sampling.min_p, 0, 1)
    _check_number("repetition_penalty", sampling.repetition_penalty, 0, 10, positive=True)
    _check_number("presence_penalty", sampling.presence_penalty, -2, 2)
    _check_number("frequency_penalty", sampling.frequency_penalty, -2, 2)
    _check_integer("top_k", sampling.top_k, 0)
    _check_integer("min_tokens", sampling.min_tokens, 0)
    _check_integer("max_tokens", sampling.max_tokens, 1)
    _check_integer("n", sampling.n, 1)
    if sampling.seed is not None:
        _check_integer("seed", sampling.seed, 0, MAX_SEED)
    for name in ("include_stop", "ignore_eos"):
        if not isinstance(getattr(sampling, name), bool):
            raise RequestRejected(f"sampling.{name}", getattr(sampling, name), "true or false")


def _check_stops(sampling: SamplingParams, limits: Limits) -> None:
    stops: Any = sampling.stop
    if not isinstance(stops, tuple | list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise RequestRejected("sampling.stop", stops, "a list of texts that are not empty")
    if len(stops) > MAX_STOP_STRINGS:
        raise RequestRejected("sampling.stop", f"{len(stops)} entries", f"at most {MAX_STOP_STRINGS} entries")
    tokens: Any = sampling.stop_token_ids
    if not isinstance(tokens, tuple | list):
        raise RequestRejected("sampling.stop_token_ids", tokens, "a list of token ids")
    for place, token in enumerate(tokens):
        _check_token(f"sampling.stop_token_ids[{place}]", token, limits)


def _check_bias(sampling: SamplingParams, limits: Limits) -> None:
    bias: Any = sampling.logit_bias
    if not isinstance(bias, dict):
        raise RequestRejected("sampling.logit_bias", bias, "a mapping of token ids to numbers")
    if len(bias) > MAX_BIASES:
        raise RequestRejected("sampling.logit_bias", f"{len(bias)} entries", f"at most {MAX_BIASES} entries")
    for token, value in bias.items():
        _check_token("sampling.logit_bias", token, limits)
        _check_number(f"logit_bias[{token}]", value, -MAX_BIAS, MAX_BIAS)


def _check_schema(sampling: SamplingParams) -> None:
    try:
        if sampling.json_schema is not None:
            grammar_of(sampling.json_schema)
    except (SchemaError, UnicodeEncodeError) as error:
        raise RequestRejected("sampling.json_schema", sampling.json_schema, str(error)) from None


def _check_lengths(request: Request, limits: Limits) -> None:
    sampling = request.sampling
    room = limits.context_length - len(request.prompt)
    if sampling.max_tokens > room:
        raise RequestRejected("sampling.max_tokens", sampling.max_tokens, f"at most {room} after this prompt")
    if sampling.min_tokens > sampling.max_tokens:
        raise RequestRejected("sampling.min_tokens", sampling.min_tokens, f"at most {sampling.max_tokens}, max_tokens")


def _check_logprobs(sampling: SamplingParams, limits: Limits) -> None:
    for name in ("logprobs", "prompt_logprobs"):
        asked = getattr(sampling, name)
        if asked is not None:
            _check_integer(name, asked, 0, limits.max_logprobs)


def _check_samples(sampling: SamplingParams, limits: Limits) -> None:
    if sampling.n > limits.max_samples:
        raise RequestRejected("sampling.n", sampling.n, f"at most {limits.max_samples}")
    if sampling.n > 1 and sampling.temperature == 0:
        raise RequestRejected("sampling.n", sampling.n, "1 when temperature is 0: greedy samples are all alike")


def _check_pool(request: Request, settings: EngineSettings) -> None:
    # The last generated token is never read again, so it needs no slot.
    need = settings.blocks_for(len(request.prompt) + request.sampling.max_tokens - 1)
    if need > settings.total_blocks:
        allowed = f"at most the {settings.total_blocks} blocks of the pool for prompt and max_tokens together"
        raise RequestRejected("prompt", f"{need} blocks", allowed)


def _check_token(name: str, token: Any, limits: Limits) -> None:
    if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < limits.vocab_size:
        raise RequestRejected(name, token, f"an integer in 0..{limits.vocab_size - 1}")


def _check_number(name: str, value: Any, least: float, most: float, positive: bool = False) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # The comparison is false for NaN, so NaN is refused too.
    if not (number and least <= value <= most) or (positive and value == 0):
        above = "above" if positive else "at least"
        raise RequestRejected(f"sampling.{name}", value, f"a finite number {above} {least:g} and at most {most:g}")


def _check_integer(name: str, value: Any, least: int, most: int | None = None) -> None:
    integer = isinstance(value, int) and not isinstance(value, bool)
    if not integer or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise RequestRejected(f"sampling.{name}", value, f"an integer of at least {least}{limit}")
