"""HTTP messages that are broken themselves."""

from __future__ import annotations

import msgspec

from strategies.http.breaking.editing import with_message
from strategies.http.space import HttpSpace
from strategies.source import Source
from targets.http.case import Exchange, Framing
from targets.http.wire import bytes_of, pieces_of, serialise

_LENGTHS = ("-1", "abc", "1e3", "0x10", "99999999999999999999", "+5", "5, 6", "", "18446744073709551616")


def break_framing(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """A body whose length is wrong, unended, or said twice."""
    del space
    message = exchange.message
    length = len(bytes_of(message.body))
    kind = source.integer(0, 4)
    if kind == 0:
        more = source.choice((1, 100, 10_000_000))
        longer = (*message.headers, ("content-length", str(length + more)))
        broken = with_message(exchange, headers=longer, framing=Framing.BARE)
        return msgspec.structs.replace(broken, half_close=True)
    if kind == 1:
        shorter = (*message.headers, ("content-length", str(source.integer(0, max(0, length - 1)))))
        return with_message(exchange, headers=shorter, framing=Framing.BARE)
    if kind == 2:
        strange = (*message.headers, ("content-length", source.choice(_LENGTHS)))
        broken = with_message(exchange, headers=strange, framing=Framing.BARE)
        return msgspec.structs.replace(broken, half_close=True)
    if kind == 3:
        broken = with_message(exchange, framing=Framing.UNENDED, chunk=source.choice((1, 7, 1024)))
        return msgspec.structs.replace(broken, half_close=True)
    twice = (*message.headers, ("content-length", str(length)), ("content-length", str(length + 1)))
    return with_message(exchange, headers=twice, framing=Framing.BARE)


def break_raw(source: Source, space: HttpSpace, exchange: Exchange) -> Exchange:
    """Bytes of the head changed: the request line, a header, the end of lines; or chunks that are none."""
    del space
    head, _, body = serialise(exchange.message, "127.0.0.1").partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    method, _, target = line.partition(b" ")
    path = target.partition(b" ")[0]
    chunked = b"transfer-encoding: chunked"
    broken = source.choice(
        (
            (b"%b %b\r\n%b" % (method, path, rest), body),
            (b"%b %b HTTP/9.9\r\n%b" % (method, path, rest), body),
            (b"%b  %b HTTP/1.1\r\n%b" % (method, path, rest), body),
            (b"(%b) %b HTTP/1.1\r\n%b" % (method, path, rest), body),
            (b"%b %b\x00 HTTP/1.1\r\n%b" % (method, path, rest), body),
            (line + b"\r\nno colon here\r\n" + rest, body),
            (line + b"\r\nspace before : colon\r\n" + rest, body),
            (line + b"\r\nx-control: a\x00b\r\n" + rest, body),
            (line + b"\r\n: empty\r\n" + rest, body),
            (line + b"\r\nhost: a\r\nhost: b\r\n" + rest, body),
            (line + b"\r\ncontent-type: application/json\r\n" + chunked, b"zz\r\n" + body),
            (line + b"\r\nhost: a\r\n" + chunked, b"ffffffffffffffffffff\r\n" + body),
            (line + b"\r\nhost: a\r\n" + chunked, b"-5\r\n" + body),
            (line + b"\r\nhost: a\r\ntransfer-encoding: nonsense", body),
            (b"\x16\x03\x01\x02\x00" + head, body),
            (b"", body),
        )
    )
    data = broken[0] + b"\r\n\r\n" + broken[1]
    return msgspec.structs.replace(with_message(exchange, raw=pieces_of(data)), half_close=True)
