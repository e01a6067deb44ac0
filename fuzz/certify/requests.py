"""The requests of a certification: short, inside the documented domain of any executor, and repeatable."""

from __future__ import annotations

from typing import Any

from targets.contract import Bound, Limits, Request, SamplingParams, Target
from targets.domain import DEFAULT_DOMAIN

TOKENS = 8
PROMPT = 5


def repeatable(target: Target) -> bool:
    """Whether the target can be asked for a completion that depends on the request alone."""
    supported = (target.domain or DEFAULT_DOMAIN).supported
    return _greedy(target) or "seed" in supported


def ordinary_request(target: Target, name: str, number: int = 0, **options: Any) -> Request:
    """A valid request; different numbers have different prompts. Fields that are not supported are left out."""
    limits = target.limits
    length = max(1, min(PROMPT + number, limits.context_length // 2))
    wanted: dict[str, Any] = {
        "max_tokens": max(1, min(TOKENS, limits.context_length - length)),
        "ignore_eos": True,
        **({"temperature": 0.0} if _greedy(target) else {"seed": 7}),
        **options,
    }
    supported = (target.domain or DEFAULT_DOMAIN).supported
    sampling = SamplingParams(**{field: value for field, value in wanted.items() if field in supported})
    return Request(id=name, prompt=_prompt(limits, length, number), sampling=sampling)


def impossible_request(target: Target, name: str) -> Request:
    """A request that no executor may accept: its prompt holds a token beyond the vocabulary."""
    request = ordinary_request(target, name)
    return Request(id=name, prompt=(*request.prompt[:-1], target.limits.vocab_size), sampling=request.sampling)


def _prompt(limits: Limits, length: int, number: int) -> tuple[int, ...]:
    special = {*limits.special_token_ids, *limits.eos_token_ids, limits.pad_token_id}
    tokens: list[int] = []
    candidate = 3 + 11 * number
    tries = 0
    while len(tokens) < length:
        token = candidate % limits.vocab_size
        # A vocabulary of nothing but special tokens gets special tokens.
        if token not in special or tries > limits.vocab_size:
            tokens.append(token)
        candidate += 7
        tries += 1
    return tuple(tokens)


def _greedy(target: Target) -> bool:
    domain = target.domain or DEFAULT_DOMAIN
    bound = domain.bounds.get("temperature", Bound())
    return "temperature" in domain.supported and not (bound.minimum is not None and (bound.minimum > 0 or bound.above))
