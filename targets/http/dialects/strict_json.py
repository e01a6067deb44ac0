"""JSON read by the letter of RFC 8259, with every liberty that Python's reader takes named."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


class StrictJsonError(ValueError):
    """The bytes are not strict JSON. `kind` is a stable name of the reason."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class _DuplicateKey(Exception):  # noqa: N818 - caught two functions up
    pass


def parse(data: bytes) -> Any:
    """The value. Raises `StrictJsonError`: not-utf8, not-finite, too-deep, lone-surrogate or syntax."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise StrictJsonError("not-utf8", f"byte {data[error.start]:#04x} at {error.start} is not UTF-8") from None
    if nesting(text) > MAX_DEPTH:
        raise StrictJsonError("too-deep", f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except StrictJsonError:
        raise
    except ValueError as error:
        if coding := _other_encoding(data):
            raise StrictJsonError("not-utf8", f"the bytes are {coding}") from None
        raise StrictJsonError("syntax", str(error)) from None
    if "\\u" in text and _SURROGATE.search(_strings(value)):
        raise StrictJsonError("lone-surrogate", "a text holds half of a surrogate pair")
    return value


def _other_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32, if the bytes are JSON in it; text of ASCII letters then is UTF-8 with many NULs as well."""
    coding = json.detect_encoding(data)
    try:
        json.loads(data.decode(coding))
    except (ValueError, RecursionError):
        return ""
    return "" if coding.startswith("utf-8") else coding


def has_duplicate_keys(data: bytes) -> bool:
    """Whether an object of a JSON text names a key twice."""
    try:
        json.loads(data, object_pairs_hook=_refuse_duplicates)
    except _DuplicateKey:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def nesting(text: str) -> int:
    """Depth of brackets outside strings."""
    deepest = depth = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        if mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> Any:
    raise StrictJsonError("not-finite", f"{name} is not a JSON number")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKey
    return found


def _strings(value: Any) -> str:
    """All texts of a value, keys included, run together."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return " ".join(f"{key} {_strings(item)}" for key, item in value.items())
    return " ".join(_strings(item) for item in value) if isinstance(value, list) else ""
