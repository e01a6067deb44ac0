"""Graph configs as YAML or JSON text, read within bounds: a text that is too large, deep or tricky is refused early.

YAML is read by the rules of JSON (YAML's core schema): `yes`, `1:30` and dates are texts, keys are unique, and there
are no aliases, which is how a few bytes of YAML become gigabytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from targets.codec import encode_pretty
from targets.errors import UsageError
from targets.graph.config import GraphConfig, plain
from targets.graph.contract import GraphRejected
from targets.graph.domain import DEFAULT_GRAPH_DOMAIN, GraphDomain
from targets.graph.validate import decode_config

MAX_BYTES = 2_000_000
MAX_DEPTH = 100
"""Mappings and lists inside each other; a body takes five."""
MAX_ITEMS = 200_000
"""Scalars, lists and mappings of one document."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class DocumentError(Exception):
    """A text is no bounded YAML or JSON document; the message names the place."""


def load_config(path: Path, domain: GraphDomain = DEFAULT_GRAPH_DOMAIN) -> GraphConfig:
    """The config in a `.yaml`, `.yml` or `.json` file. Raises `UsageError` with the file and the place in it."""
    readers = {".yaml": parse_yaml, ".yml": parse_yaml, ".json": parse_json}
    if path.suffix not in readers:
        raise UsageError(f"{path} has the suffix {path.suffix!r}; a graph config is .yaml, .yml or .json")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        return decode_config(readers[path.suffix](text), domain)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except (DocumentError, GraphRejected) as error:
        raise UsageError(f"{path}: {error}") from error


def to_json(config: GraphConfig) -> str:
    """Indented JSON with sorted keys and a final newline."""
    return encode_pretty(config).decode()


def to_yaml(config: GraphConfig) -> str:
    """Block-style YAML that `parse_yaml` reads back to the same config."""
    # Texts are always quoted: YAML readers disagree about which bare words are numbers, dates or truth values.
    text: str = yaml.dump(plain(config), Dumper=_Quoting, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Quoting(yaml.SafeDumper):
    """Writes every text value in double quotes and expands every repeated object."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = text.isidentifier() and text.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Quoting.add_representer(str, _quoted)


def parse_json(text: bytes | str) -> Any:
    """The document of a JSON text. Raises `DocumentError`."""
    _check_size(text)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise DocumentError(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DocumentError(f"not valid JSON: {error}") from None


def parse_yaml(text: bytes | str) -> Any:
    """The document of a YAML text. Raises `DocumentError` with line and column."""
    _check_size(text)
    try:
        events = _Bounded(yaml.parse(text, Loader=_LOADER))
        return events.document()
    except UnicodeDecodeError as error:
        raise DocumentError(f"not valid YAML: byte {error.start} is not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DocumentError(f"not valid YAML: {problem}{_place(mark)}") from None


class _Bounded:
    """Builds plain data from YAML events and counts while it does."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._items = 0

    def document(self) -> Any:
        self._skip(yaml.StreamStartEvent)
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            raise DocumentError("the YAML is empty")
        value = self._value(next(self._events), 0)
        self._skip(yaml.DocumentEndEvent)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise DocumentError(f"the YAML has more than one document{_place(after.start_mark)}")
        return value

    def _skip(self, kind: type[Any]) -> None:
        event = next(self._events)
        assert isinstance(event, kind)

    def _value(self, event: Any, depth: int) -> Any:
        self._items += 1
        if self._items > MAX_ITEMS:
            raise DocumentError(f"the YAML has more than {MAX_ITEMS} items{_place(event.start_mark)}")
        if depth > MAX_DEPTH:
            raise DocumentError(f"the YAML is nested deeper than {MAX_DEPTH} levels{_place(event.start_mark)}")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise DocumentError(f"anchors and aliases are not allowed: {event.anchor!r}{_place(event.start_mark)}")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if event.tag is not None:
            raise DocumentError(f"tags are not allowed: {event.tag!r}{_place(event.start_mark)}")
        return self._mapping(depth) if isinstance(event, yaml.MappingStartEvent) else self._sequence(depth)

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise DocumentError(f"a key must be a text{_place(event.start_mark)}")
            if event.value in items:
                raise DocumentError(f"the key {event.value!r} occurs twice{_place(event.start_mark)}")
            items[event.value] = self._value(next(self._events), depth + 1)
        return items


def _scalar(event: Any) -> Any:
    if event.tag is not None and event.tag != "!":
        raise DocumentError(f"tags are not allowed: {event.tag!r}{_place(event.start_mark)}")
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        value = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        if not math.isfinite(value):
            raise DocumentError(f"the number {text!r} is not finite{_place(event.start_mark)}")
        return value
    return text


def _check_size(text: bytes | str) -> None:
    if len(text) > MAX_BYTES:
        raise DocumentError(f"the text is longer than {MAX_BYTES} bytes")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for name, value in pairs:
        if name in items:
            raise ValueError(f"the key {name!r} occurs twice")
        items[name] = value
    return items


def _no_constant(word: str) -> Any:
    raise ValueError(f"the number {word} is not finite")


def _place(mark: Any) -> str:
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
