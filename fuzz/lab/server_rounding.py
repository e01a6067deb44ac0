"""How a server rounds: in a batch of another shape its numbers differ a little, and so may the best of two near tokens.

Ordinary kernels of an accelerator do not promise more (`properties.md` 2.0, rules 2 and 4), so what rounding may have
done is excused and counted. A server that rounds the same in any company is held to every token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

from fuzz.lab.server_answers import LOGPROB_TOLERANCE, read_reply
from targets.http.case import Exchange, HttpCase
from targets.http.client import perform, send
from targets.http.dialects.fields import asking_for_scores, greedy, placed
from targets.http.dialects.model import Choice, Endpoint, EndpointKind, Json
from targets.http.reply import Reply
from targets.http.server import Server
from targets.http.wire import json_message

FLOOR = LOGPROB_TOLERANCE
"""Least bound on how far a log-probability may move; what summing float32 in another order does is far below."""
CEILING = 0.25
"""Greatest bound: bfloat16 stays below it, and what is farther away is another answer."""
SAFETY = 4.0
"""Times the farthest that was seen (`properties.md` 2.0, rule 2)."""
PROMPTS = ("a", "Once upon a time", "1, 2, 3, 4, 5, 6, 7, 8", "the quick brown fox jumps over the lazy dog")
COPIES = 2
"""Requests with each prompt, all at once."""
TOKENS = 12


def rounding_of(server: Server) -> float:
    """How far a log-probability may move in company: a few times what a few requests alone and at once show.

    `FLOOR` where the server reports none.
    """
    asked = tuple(_calibrating(server)) * COPIES
    if not asked:
        return FLOOR
    alone = [_choice(server, one, send(server.client, one.exchange)) for one in asked]
    together = HttpCase(dialect=server.dialect.name, exchanges=tuple(one.exchange for one in asked), concurrent=True)
    replies = perform(server.client, together)
    moved = [
        distance
        for one, before, reply in zip(asked, alone, replies, strict=True)
        for distance in _distances(before, _choice(server, one, reply))
        # A bug may move them as far as it likes.
        if distance <= CEILING
    ]
    return min(CEILING, max(FLOOR, SAFETY * max(moved, default=0.0)))


def lead_where_they_part(scored: Choice, one: Choice, other: Choice) -> float | None:
    """By how much the tokens led, at least, in which two answers may have parted; None if that is not known.

    `scored` is the answer `one` with the two best log-probabilities of each token. Of a token that ends where they part
    the other answer may have chosen a longer one.
    """
    leads = leads_of(scored)
    if scored.text != one.text or not leads:
        return None
    if one.text == other.text and one.tokens and other.tokens:
        place = _shared(one.tokens, other.tokens)
        return least_of(leads[place : place + 1])
    ends, parted = _ends(scored), _shared(one.text, other.text)
    # Several tokens may make the one character in which they part.
    first = sum(end < parted for end in ends)
    last = sum(end <= parted for end in ends)
    return least_of(leads[first : last + 1]) if last < len(ends) else None


def leads_of(scored: Choice) -> tuple[float | None, ...]:
    """By how much each token led the best other one; empty where that was not reported."""
    numbers = scored.logprobs or ()
    if len(scored.runners_up) != len(numbers) or len(numbers) != len(scored.tokens or ()):
        return ()
    pairs = zip(numbers, scored.runners_up, strict=True)
    return tuple(None if second is None else chosen - second for chosen, second in pairs)


def least_of(leads: Sequence[float | None]) -> float | None:
    """The least lead; None if one is not known, or another token led: then an option decided that they do not show."""
    known = [lead for lead in leads if lead is not None and lead >= 0]
    return min(known) if known and len(known) == len(leads) else None


def is_tie(lead: float | None, bound: float) -> bool:
    """Whether rounding may have made the other token lead; where it is not known by how much it led, if it rounds."""
    return bound > FLOOR if lead is None else lead <= 2 * bound


def _ends(scored: Choice) -> list[int]:
    """Where each token ends in the text, as far as that is known."""
    tokens, offsets = scored.tokens or (), scored.offsets
    # Where tokens are shown as names, offsets may count these, not the text.
    within = len(offsets) == len(tokens) and offsets[-1] - offsets[0] <= len(scored.text)
    if within and list(offsets) == sorted(offsets):
        return [*(offset - offsets[0] for offset in offsets[1:]), len(scored.text)]
    # A character that several tokens make is in the text once.
    agreed = _shared("".join(tokens), scored.text)
    return list(takewhile(lambda end: end <= agreed, accumulate(map(len, tokens))))


class _Calibrating(NamedTuple):
    exchange: Exchange
    endpoint: Endpoint
    body: dict[str, Json]


def _calibrating(server: Server) -> Iterator[_Calibrating]:
    dialect, limits = server.dialect, server.api.limits
    for endpoint in dialect.endpoints:
        offered = not server.api.endpoints or endpoint.name in server.api.endpoints
        scores = asking_for_scores(dialect, server.family, endpoint, {"model": limits.model})
        if not offered or not scores:
            continue
        body = placed(greedy(dialect, scores), dialect.max_tokens_field, min(TOKENS, limits.max_tokens))
        for prompt in PROMPTS:
            chat = endpoint.kind is EndpointKind.CHAT
            asked = body | ({"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt})
            message = json_message(endpoint.path, asked, dialect.headers)
            yield _Calibrating(Exchange(message=message, endpoint=endpoint.name), endpoint, asked)
        return


def _choice(server: Server, asked: _Calibrating, reply: Reply) -> Choice | None:
    answer = read_reply(server.dialect, asked.endpoint, asked.body, reply)
    return answer.choices[0] if answer is not None and answer.choices else None


def _distances(one: Choice | None, other: Choice | None) -> Iterator[float]:
    """How far apart the log-probabilities are, up to the first token that differs."""
    if one is None or other is None:
        return
    same = _shared(one.tokens or (), other.tokens or ())
    for first, second in list(zip(one.logprobs or (), other.logprobs or (), strict=False))[:same]:
        yield abs(first - second)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many first characters or tokens are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
