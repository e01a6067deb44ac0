"""Where a server is: parsed, allowed, and shown without its secrets."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import msgspec

from targets.errors import UsageError

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "set-cookie", "x-goog-api-key"}
)
HIDDEN = "[hidden]"
_SECRET_WORDS = re.compile(r"(?i)(token|secret|passw|credential|api[-_]?key|signature)")
_IN_QUERY = re.compile(r"(?i)([?&][^=&#\s]*(?:token|secret|key|passw|credential|sig)[^=&#\s]*=)[^&#\s]+")
_USER_PART = re.compile(r"(?i)(\bhttps?://)[^/\s@]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=~-]{6,}")
_KEY = re.compile(r"\b(?:sk|pk|hf|gh[opsu])[-_][\w-]{8,}")


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Host and port of a server that speaks plain HTTP, and the path all its endpoints lie under."""

    host: str
    port: int
    prefix: str = ""

    @property
    def authority(self) -> str:
        """`127.0.0.1:8000`, as in a `host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:8000/prefix`."""
        return f"http://{self.authority}{self.prefix}"


def parse_url(url: str, allowed_hosts: tuple[str, ...] = ()) -> Address:
    """The address in a URL. Raises `UsageError` unless it is plain HTTP on loopback or on an allowed host."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise UsageError(f"URL {redact(url)!r} is not one: {error}. Write it like http://127.0.0.1:8000") from None
    if parts.scheme != "http":
        advice = "Put the server on plain HTTP on loopback; TLS is not fuzzed."
        raise UsageError(f"URL {redact(url)!r} has the scheme {parts.scheme!r}, allowed is http. {advice}")
    if not parts.hostname:
        raise UsageError(f"URL {redact(url)!r} has no host. Write it like http://127.0.0.1:8000")
    if parts.username or parts.password:
        raise UsageError(f"URL {redact(url)!r} holds a password. Give credentials as a header instead.")
    check_host(parts.hostname, allowed_hosts)
    return Address(host=parts.hostname, port=port, prefix=parts.path.rstrip("/"))


def check_host(host: str, allowed: tuple[str, ...]) -> None:
    """Raises `UsageError` for a host that is neither loopback nor allowed by name."""
    if host not in allowed and not is_loopback(host):
        raise UsageError(
            f"Host {host!r} is not on this machine. Malformed requests go to loopback addresses only; "
            f"`--allow-host {host}` names another one that is yours to test."
        )


def is_loopback(host: str) -> bool:
    """Whether the host is `localhost` or a loopback address; names are not resolved."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def redact(text: str) -> str:
    """The text without user parts of URLs, secret query values, bearer tokens and things that look like API keys."""
    text = _USER_PART.sub(rf"\1{HIDDEN}@", text)
    text = _IN_QUERY.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _KEY.sub(HIDDEN, text)


def redact_header(name: str, value: str) -> str:
    """The value of a header as it may be shown."""
    secret = name.lower() in SECRET_HEADERS or _SECRET_WORDS.search(name) is not None
    return HIDDEN if secret else redact(value)
