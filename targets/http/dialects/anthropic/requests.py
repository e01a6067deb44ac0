"""The documented request body as JSON Schema."""

from __future__ import annotations

from targets.http.dialects.model import ApiLimits, Json
from targets.http.dialects.schema import FLAG, SOME_TEXT, TEXT, array, either, integer, number, record


def messages(limits: ApiLimits) -> Json:
    """`POST /v1/messages`."""
    block = record({"type": {"const": "text"}, "text": SOME_TEXT})
    content = either(SOME_TEXT, array(block, 1))
    message = record({"role": {"enum": ["user", "assistant"]}, "content": content})
    return record(
        {
            "model": SOME_TEXT,
            "max_tokens": integer(1, limits.largest_max_tokens),
            "messages": array(message, 1),
        },
        {
            "system": either(TEXT, array(block)),
            "stop_sequences": array(SOME_TEXT, 0, None),
            "temperature": number(0, 1),
            "top_p": number(0, 1, above=True),
            "top_k": integer(0),
            "stream": FLAG,
            "metadata": record({}, {"user_id": TEXT}),
        },
    )
