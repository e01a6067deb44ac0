"""Saying a default, saying null, or changing the order of keys changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_answers import difference, lookup, placed
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.model import Answer, Json


@server_property("H21", "Saying a default changes nothing", sources=("VALID-25", "VALID-26", "SAMPLE-03", "GRAPH-09"))
def check_defaults(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A documented default that is written out, null for an optional field, and another order of keys: same answer.

    For repeatable requests. Each field is tried by itself.
    """
    del case
    for asked in lab.valid(generating=True):
        plain = lab.steady(asked)
        if plain is None or asked.endpoint is None or asked.body is None:
            continue
        for slug, body in _variants(lab, asked):
            answer = lab.put(asked.endpoint, body)
            lab.tally.looked += 1
            lab.tally.compared += 1
            if answer is None:
                yield from _refused(lab, slug, lab.derived(asked.endpoint, body))
            elif found := _differs(plain, answer):
                yield lab.violation(
                    "H21", f"{found}-differ/{slug}", f"{found} changes with {slug}", lab.derived(asked.endpoint, body)
                )


def _refused(lab: HttpLab, slug: str, derived: Asked) -> Iterator[Violation]:
    if derived.reply.status is None:
        return  # there was no time to ask, or H2 has something to say
    _, cause = lab.blamed(derived.reply, None)
    message = f"the request is refused with {slug}"
    yield lab.violation("H21", f"refused/{slug}", message, derived, cause=cause, derived=True)


def _variants(lab: HttpLab, asked: Asked) -> Iterator[tuple[str, dict[str, Json]]]:
    assert asked.body is not None and asked.endpoint is not None
    body = lab.plain(asked.endpoint, asked.body)
    known = asked.endpoint.request(lab.limits)["properties"]
    yield "reversed-keys", dict(reversed(body.items()))
    for path, value in lab.dialect.defaults:
        supported = path[0] in known and path[0] not in lab.family.unsupported and path[0] != "stream"
        if supported and lookup(body, path) is None:
            yield f"{'.'.join(path)}-default", placed(body, path, value)
            yield f"{'.'.join(path)}-null", placed(body, path, None)


def _differs(plain: Answer, answer: Answer) -> str:
    if len(plain.choices) != len(answer.choices):
        return "choices"
    return next((found for pair in zip(plain.choices, answer.choices, strict=True) if (found := difference(*pair))), "")
