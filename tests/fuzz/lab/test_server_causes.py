"""What is behind a server's failure: from its log, its error, or the request."""

from __future__ import annotations

import json

import pytest

from fuzz.lab.server_causes import check_of, error_label, message_of, only_place, raised_in, unread
from targets.http.case import HttpDefect
from targets.http.reply import End, Reply

LOG = """INFO: "POST /v1/completions HTTP/1.1" 500 Internal Server Error
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/starlette/routing.py", line 73, in app
    response = await f(request)
  File "/venv/lib/python3.11/site-packages/engine/completion.py", line 268, in build_config
    json.loads(text)
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
    raise ValueError
ValueError: invalid literal for int() with base 10: 'abc'
"""
OTHER = """Traceback (most recent call last):
  File "/venv/site-packages/web/body.py", line 9, in read
ClientGone
"""
DEFECT = HttpDefect(name="logit_bias-bad-key", place="logit_bias.abc")


def reply(body: object) -> Reply:
    return Reply(end=End.COMPLETE, status=500, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_stack_trace_in_the_log_names_the_exception_and_the_innermost_place_outside_the_standard_library() -> None:
    assert raised_in(LOG) == "ValueError-completion.py:build_config"
    assert raised_in("INFO: all is well\n") == ""


def test_of_several_stack_traces_the_one_that_the_error_repeats_is_meant() -> None:
    assert (
        raised_in(LOG + OTHER, "invalid literal for int() with base 10: 'abc'")
        == "ValueError-completion.py:build_config"
    )
    assert raised_in(LOG + OTHER, "something else") == raised_in(LOG + OTHER) == "ClientGone-body.py:read"


def test_a_log_in_which_several_things_failed_tells_no_place() -> None:
    assert only_place(LOG) == only_place(LOG * 2) == "ValueError-completion.py:build_config"
    assert only_place(LOG + OTHER) == only_place("") == ""


def test_a_client_that_went_away_is_behind_no_error() -> None:
    gone = OTHER.replace("ClientGone", "starlette.requests.ClientDisconnect")
    assert raised_in(LOG + gone) == only_place(LOG + gone) == "ValueError-completion.py:build_config"


def test_an_exception_in_the_handling_of_another_counts_alone() -> None:
    chained = f"{OTHER}\nDuring handling of the above exception, another exception occurred:\n\n{LOG}"
    assert only_place(chained) == "ValueError-completion.py:build_config"


def test_frames_that_an_exception_quotes_are_no_place_where_it_was_raised() -> None:
    assert raised_in(f'{LOG}  File "/app/views.py", line 7, in view\n') == "ValueError-completion.py:build_config"


def test_the_log_is_trusted_before_the_error_and_the_error_before_the_request() -> None:
    said = message_of(reply({"error": {"message": "token 280 is not in the vocabulary"}}))
    assert error_label(said, DEFECT, LOG) == "ValueError-completion.py:build_config"
    assert error_label(said, DEFECT, "") == "token-is-not-in-the-vocabulary"
    assert error_label(message_of(reply(b"Internal Server Error")), DEFECT, "") == "logit_bias"
    assert error_label(message_of(reply(b"Internal Server Error")), None, "") == ""


@pytest.mark.parametrize("detail", ["'abc' is no number", "'x' is no number"])
def test_what_varies_in_a_message_is_no_part_of_the_cause(detail: str) -> None:
    assert error_label(message_of(reply({"detail": detail})), None, "") == "is-no-number"


def test_a_message_that_says_nothing_names_no_cause() -> None:
    assert error_label(message_of(reply({"error": {"message": "internal error"}})), None, "") == ""


def test_a_missing_check_is_the_same_for_every_field() -> None:
    names = ("top_p-too-large", "temperature-too-small", "stop-wrong-type", "json-not-utf8", "stop-empty")
    assert [check_of(HttpDefect(name=name)) for name in names] == [
        "out-of-range",
        "out-of-range",
        "wrong-type",
        "json-not-utf8",
        "empty",
    ]


def test_a_field_that_is_not_read_is_named_whatever_is_wrong_inside_it() -> None:
    places = ("logit_bias.7x", "logit_bias", "options.seed", "messages.0.role")
    assert [unread(place) for place in places] == [
        "logit_bias is not read",
        "logit_bias is not read",
        "seed is not read",
        "messages is not read",
    ]
