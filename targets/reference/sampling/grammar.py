"""Constrained decoding: which tokens keep the text on its way to a JSON document that fits a schema.

A schema is a regular language over bytes. The state of an answer is what may still follow, as a term of it, and each
byte turns the state into its derivative (Brzozowski 1964). States are immutable, so samples share them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from targets.reference.text.tokenizer import EOS, PIECES

Booleans = npt.NDArray[np.bool_]


class SchemaError(Exception):
    """The schema is not supported, or nothing fits it; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly these bytes; none of them is the end."""

    rest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Byte:
    """One byte out of a set. Made once and compared by identity, since hashing a set takes long."""

    choices: frozenset[int]


@dataclass(frozen=True, slots=True)
class Then:
    """One term after another."""

    head: Term
    tail: Term


@dataclass(frozen=True, slots=True)
class Either:
    """Any of the terms; nothing at all if there are none."""

    options: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """At least and at most so many times; None is any number."""

    term: Term
    least: int = 0
    most: int | None = None


Term = Text | Byte | Then | Either | Repeat

END: Term = Text(b"")
NOTHING: Term = Either(())


def then(head: Term, tail: Term) -> Term:
    """The concatenation, simplified."""
    if NOTHING in (head, tail):
        return NOTHING
    if head == END:
        return tail
    return head if tail == END else Then(head, tail)


def either(*options: Term) -> Term:
    """The union, simplified."""
    kept = tuple(dict.fromkeys(option for option in options if option != NOTHING))
    return kept[0] if len(kept) == 1 else Either(kept)


def is_complete(state: Term) -> bool:
    """Whether nothing needs to follow."""
    match state:
        case Text(rest):
            return not rest
        case Then(head, tail):
            return is_complete(head) and is_complete(tail)
        case Either(options):
            return any(map(is_complete, options))
        case Repeat(term, least):
            return least == 0 or is_complete(term)
    return False


def first_bytes(state: Term) -> frozenset[int]:
    """The bytes that may follow."""
    match state:
        case Text(rest):
            return frozenset(rest[:1])
        case Then(head, tail):
            return first_bytes(head) | (first_bytes(tail) if is_complete(head) else frozenset())
        case Either(options):
            return frozenset().union(*map(first_bytes, options))
        case Repeat(term, _, most):
            return first_bytes(term) if most != 0 else frozenset()
    return state.choices


def derive(state: Term, byte: int) -> Term:
    """What may follow after this byte; `NOTHING` where it must not come."""
    match state:
        case Text(rest):
            return Text(rest[1:]) if rest[:1] == bytes((byte,)) else NOTHING
        case Then(head, tail):
            after = then(derive(head, byte), tail)
            return either(after, derive(tail, byte)) if is_complete(head) else after
        case Either(options):
            return either(*(derive(option, byte) for option in options))
        case Repeat(term, least, most):
            again = Repeat(term, max(0, least - 1), None if most is None else most - 1)
            return NOTHING if most == 0 else then(derive(term, byte), END if again.most == 0 else again)
    return END if byte in state.choices else NOTHING


def _in_turn(*terms: Term) -> Term:
    return reduce(lambda tail, head: then(head, tail), reversed(terms))


_FOLLOWS = Byte(frozenset(range(0x80, 0xC0)))
_DIGIT = Byte(frozenset(b"0123456789"))
_CHARACTER = either(
    # Well-formed UTF-8 (Unicode, table 3-7), without the characters that JSON escapes.
    Byte(frozenset(range(0x20, 0x80)) - {*b'"\\'}),
    _in_turn(Byte(frozenset(range(0xC2, 0xE0))), _FOLLOWS),
    _in_turn(Text(b"\xe0"), Byte(frozenset(range(0xA0, 0xC0))), _FOLLOWS),
    _in_turn(Byte(frozenset(range(0xE1, 0xF0)) - {0xED}), _FOLLOWS, _FOLLOWS),
    _in_turn(Text(b"\xed"), Byte(frozenset(range(0x80, 0xA0))), _FOLLOWS),
    _in_turn(Text(b"\xf0"), Byte(frozenset(range(0x90, 0xC0))), _FOLLOWS, _FOLLOWS),
    _in_turn(Byte(frozenset(range(0xF1, 0xF4))), _FOLLOWS, _FOLLOWS, _FOLLOWS),
    _in_turn(Text(b"\xf4"), Byte(frozenset(range(0x80, 0x90))), _FOLLOWS, _FOLLOWS),
)
_SIMPLE: dict[str, Term] = {
    "null": Text(b"null"),
    "boolean": either(Text(b"true"), Text(b"false")),
    "integer": either(Text(b"0"), _in_turn(Repeat(Text(b"-"), 0, 1), Byte(frozenset(b"123456789")), Repeat(_DIGIT))),
}

MAX_DEPTH = 4
MAX_COUNT = 16
MAX_CONSTANT = 2**53


def grammar_of(schema: Any, depth: int = MAX_DEPTH) -> Term:
    """The language of the compact JSON texts that fit a schema of any type.

    Raises `SchemaError`, and `UnicodeEncodeError` for texts with lone surrogates.
    """
    match schema if depth else None:
        case {"type": "null" | "boolean" | "integer" as name, **others} if not others:
            return _SIMPLE[name]
        case {"type": "string", **bounds}:
            return _in_turn(Text(b'"'), Repeat(_CHARACTER, *_counts(bounds, "minLength", "maxLength")), Text(b'"'))
        case {"type": "array", "items": items, **bounds}:
            return _array(grammar_of(items, depth - 1), *_counts(bounds, "minItems", "maxItems"))
        case {"type": "object", "properties": dict(members), **others} if not others and len(members) <= MAX_COUNT:
            return _object({_constant(name, str): grammar_of(value, depth - 1) for name, value in members.items()})
        case {"enum": list() | tuple() as entries, **others} if not others and 0 < len(entries) <= MAX_COUNT:
            return either(*(Text(_constant(entry, str | int | None)) for entry in entries))
        case {"anyOf": list() | tuple() as entries, **others} if not others and 0 < len(entries) <= MAX_COUNT:
            return either(*(grammar_of(entry, depth - 1) for entry in entries))
    raise SchemaError(f"a JSON schema of the documented subset, at most {MAX_DEPTH} nested in each other")


def _array(item: Term, least: int, most: int | None) -> Term:
    more = Repeat(then(Text(b","), item), max(0, least - 1), None if most is None else max(0, most - 1))
    inside = Repeat(then(item, more), min(1, least), 1 if most is None else min(1, most))
    return _in_turn(Text(b"["), inside, Text(b"]"))


def _object(members: dict[bytes, Term]) -> Term:
    parts: list[Term] = []
    for name, value in members.items():
        parts += [Text((b"," if parts else b"") + name + b":"), value]
    return _in_turn(Text(b"{"), *parts, Text(b"}"))


def _counts(bounds: dict[Any, Any], least: str, most: str) -> tuple[int, int | None]:
    counted = all(type(value) is int and 0 <= value <= MAX_COUNT for value in bounds.values())
    if not counted or not bounds.keys() <= {least, most} or bounds.get(least, 0) > bounds.get(most, MAX_COUNT):
        raise SchemaError(f"integers in 0..{MAX_COUNT} as {least} and {most}, the first not above the second")
    return bounds.get(least, 0), bounds.get(most)


def _constant(value: Any, kinds: Any) -> bytes:
    if not isinstance(value, kinds) or (isinstance(value, int) and abs(value) > MAX_CONSTANT):
        raise SchemaError("texts as names; null, booleans, texts and integers up to 2**53 as constants")
    return json.dumps(value, ensure_ascii=False).encode()


class Constraint:
    """How far the answer of one sample has come in its grammar."""

    __slots__ = ("state",)

    def __init__(self, state: Term) -> None:
        self.state = state

    def push(self, token: int) -> None:
        """Take over a generated token."""
        self.state = reduce(derive, PIECES[token], self.state)

    @property
    def allowed(self) -> Booleans:
        """Tokens that may come next, [vocab], not to be written to."""
        return allowed_after(self.state)


@lru_cache(maxsize=4096)
def allowed_after(state: Term) -> Booleans:
    """Tokens that keep the document viable, and end of sequence once it is complete. Bool [vocab]."""
    begins = np.zeros(256, dtype=bool)
    begins[list(first_bytes(state))] = True
    mask: Booleans = begins[_FIRST] & ~_SPECIAL
    for token in _LONGER:
        mask[token] = mask[token] and reduce(derive, PIECES[token], state) != NOTHING
    mask[EOS] = is_complete(state)
    return mask


_SPECIAL = np.array([not piece for piece in PIECES])
_FIRST = np.array([piece[0] if piece else 0 for piece in PIECES])
_LONGER = tuple(token for token, piece in enumerate(PIECES) if len(piece) > 1)
