"""Documented request bodies as JSON Schema."""

from __future__ import annotations

from targets.http.dialects.model import ApiLimits, Json
from targets.http.dialects.schema import FLAG, SOME_TEXT, TEXT, array, either, integer, number, record, requires

_SEED = integer(0, 2**63 - 1)
_ROLES = ("system", "developer", "user", "assistant")


def completions(limits: ApiLimits) -> Json:
    """`POST /v1/completions`."""
    token = _token(limits)
    prompt = either(SOME_TEXT, array(SOME_TEXT, 1), array(token, 1), array(array(token, 1), 1))
    others = _sampling(limits) | {"logprobs": integer(0, limits.max_logprobs), "echo": FLAG}
    return record({"model": SOME_TEXT, "prompt": prompt}, others, allOf=[requires("stream_options", "stream", True)])


def chat(limits: ApiLimits) -> Json:
    """`POST /v1/chat/completions`."""
    part = record({"type": {"const": "text"}, "text": TEXT})
    message = record(
        {"role": {"enum": list(_ROLES)}, "content": either(TEXT, array(part, 1))},
        {"name": TEXT},
    )
    others = _sampling(limits) | {
        "logprobs": FLAG,
        "top_logprobs": integer(0, limits.max_top_logprobs),
        "max_completion_tokens": integer(1, limits.largest_max_tokens),
    }
    rules = [requires("stream_options", "stream", True), requires("top_logprobs", "logprobs", True)]
    return record({"model": SOME_TEXT, "messages": array(message, 1)}, others, allOf=rules)


def embeddings(limits: ApiLimits) -> Json:
    """`POST /v1/embeddings`."""
    token = _token(limits)
    texts = either(SOME_TEXT, array(SOME_TEXT, 1), array(token, 1), array(array(token, 1), 1))
    return record(
        {"model": SOME_TEXT, "input": texts},
        {"encoding_format": {"enum": ["float", "base64"]}, "dimensions": integer(1), "user": TEXT},
    )


def models(limits: ApiLimits) -> Json:
    """`GET /v1/models` takes no body."""
    del limits
    return True


def _token(limits: ApiLimits) -> Json:
    return integer(0, (limits.vocab_size or 2**31) - 1)


def _sampling(limits: ApiLimits) -> dict[str, Json]:
    return {
        "max_tokens": integer(1, limits.largest_max_tokens),
        "temperature": number(0, 2),
        "top_p": number(0, 1, above=True),
        "n": integer(1, limits.max_samples),
        "stop": either(SOME_TEXT, array(SOME_TEXT, 0, limits.max_stop)),
        "presence_penalty": number(-2, 2),
        "frequency_penalty": number(-2, 2),
        "logit_bias": _logit_bias(limits),
        "seed": _SEED,
        "stream": FLAG,
        "stream_options": record({}, {"include_usage": FLAG}),
        "user": TEXT,
    }


def _logit_bias(limits: ApiLimits) -> Json:
    names: Json = {"pattern": "^0*(0|[1-9][0-9]{0,9})$"}
    if limits.vocab_size is not None:
        names = _below(limits.vocab_size)
    return {"type": "object", "propertyNames": names, "additionalProperties": number(-100, 100)}


def _below(limit: int) -> Json:
    """Decimal numbers in 0..limit-1, as a pattern: JSON Schema has no numbers in key position."""
    digits = str(limit - 1)
    branches = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for position, digit in enumerate(digits):
        low = 1 if position == 0 else 0
        if int(digit) > low:
            rest = len(digits) - position - 1
            branches.append(f"{digits[:position]}[{low}-{int(digit) - 1}][0-9]{{{rest}}}")
    return {"pattern": f"^0*(0|{'|'.join([*branches, digits])})$"}
