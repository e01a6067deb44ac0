from __future__ import annotations

import pytest

from targets.http.dialects.numbers import non_finite_literal
from targets.http.dialects.strict_json import StrictJsonError, has_duplicate_keys, nesting, parse


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"a": NaN}', "not-finite"),
        (b"-Infinity", "not-finite"),
        (b'"\xff"', "not-utf8"),
        ('{"a": 1}'.encode("utf-16-le"), "not-utf8"),
        ('{"a": 1}'.encode("utf-32-be"), "not-utf8"),
        (b'{\x00"a": 1}', "syntax"),
        (b'"\\ud800"', "lone-surrogate"),
        (b'{"\\udc00": 1}', "lone-surrogate"),
        (b"[" * 5000, "too-deep"),
        (b"{", "syntax"),
        (b"", "syntax"),
        (b'{"a": 1,}', "syntax"),
        (b"\xef\xbb\xbf{}", "syntax"),
        (b"1" * 5000, "syntax"),
    ],
)
def test_each_departure_from_json_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(StrictJsonError) as caught:
        parse(data)
    assert caught.value.kind == kind


@pytest.mark.parametrize("data", [b'{"a": [1, 2.5, null]}', b'"\\ud83d\\ude00"', '"é"'.encode(), b'"NaN"'])
def test_json_is_parsed(data: bytes) -> None:
    parse(data)


def test_duplicate_keys_are_seen_at_any_depth() -> None:
    assert has_duplicate_keys(b'[{"a": 1, "a": 2}]')
    assert not has_duplicate_keys(b'[{"a": 1}, {"a": 2}]')


def test_brackets_in_texts_do_not_nest() -> None:
    assert nesting('[["[[[", {"a]": "\\"["}]]') == 3


def test_a_literal_that_is_no_number_is_found_outside_texts_only() -> None:
    assert non_finite_literal(b'{"a": -Infinity}') == "-Infinity"
    assert non_finite_literal(b'{"a": "NaN", "b": "\\"NaN"}') == ""
