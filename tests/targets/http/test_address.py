from __future__ import annotations

import pytest

from targets.errors import UsageError
from targets.http.address import HIDDEN, Address, parse_url, redact, redact_header


def test_a_url_has_host_port_and_prefix() -> None:
    assert parse_url("http://127.0.0.1:8000/api/") == Address(host="127.0.0.1", port=8000, prefix="/api")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9:1"])
def test_loopback_addresses_are_allowed(url: str) -> None:
    assert parse_url(url).port == 1


def test_another_host_is_refused_with_the_option_that_allows_it() -> None:
    with pytest.raises(UsageError, match=r"--allow-host example\.org"):
        parse_url("http://example.org:8000")


def test_an_allowed_host_is_accepted() -> None:
    assert parse_url("http://example.org:8000", ("example.org",)).host == "example.org"


@pytest.mark.parametrize("url", ["https://127.0.0.1", "127.0.0.1:8000", "http://", "http://127.0.0.1:99999"])
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        parse_url(url)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="holds a password") as caught:
        parse_url("http://me:hunter2@127.0.0.1:8000")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://me:hunter2x@127.0.0.1/",
        "GET /?api_key=hunter2x HTTP/1.1",
        "/v1?a=1&access_token=hunter2x",
        "Authorization: Bearer hunter2x",
        "key sk-hunter2xabc",
    ],
)
def test_secrets_in_text_are_hidden(text: str) -> None:
    assert "hunter2x" not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "Cookie", "X-My-Token"])
def test_secret_headers_are_hidden(name: str) -> None:
    assert redact_header(name, "hunter2x") == HIDDEN


def test_ordinary_headers_are_shown() -> None:
    assert redact_header("content-type", "application/json") == "application/json"
