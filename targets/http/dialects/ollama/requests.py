"""Documented request bodies as JSON Schema. Options have types but no documented ranges."""

from __future__ import annotations

from targets.http.dialects.model import ApiLimits, Json
from targets.http.dialects.schema import FLAG, NULL, SOME_TEXT, TEXT, array, either, record

_NUMBER: Json = {"type": "number"}
_INTEGER: Json = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_OPTIONS = record(
    {},
    {
        "temperature": _NUMBER,
        "top_p": _NUMBER,
        "min_p": _NUMBER,
        "top_k": _INTEGER,
        "num_predict": _INTEGER,
        "seed": _INTEGER,
        "repeat_penalty": _NUMBER,
        "presence_penalty": _NUMBER,
        "frequency_penalty": _NUMBER,
        "stop": array(TEXT),
    },
)
_ROLES = ("system", "user", "assistant", "tool")
_SHARED: dict[str, Json] = {
    "stream": FLAG,
    "options": _OPTIONS,
    "keep_alive": either(_NUMBER, TEXT),
    "format": either(TEXT, {"type": "object"}),
}


def generate(limits: ApiLimits) -> Json:
    """`POST /api/generate`. An empty prompt loads the model."""
    del limits
    return record({"model": SOME_TEXT}, _SHARED | {"prompt": TEXT, "system": TEXT, "raw": FLAG})


def chat(limits: ApiLimits) -> Json:
    """`POST /api/chat`. No messages load the model."""
    del limits
    message = record({"role": {"enum": list(_ROLES)}}, {"content": TEXT})
    return record({"model": SOME_TEXT}, _SHARED | {"messages": array(message)})


def tags(limits: ApiLimits) -> Json:
    """`GET /api/tags` takes no body."""
    del limits
    return either({}, NULL)
