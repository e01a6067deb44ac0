"""Saying a default, saying null, or changing the order of keys changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.asked import repeatable_text
from fuzz.properties.servers.near_ties import differs
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.fields import lookup, placed
from targets.http.dialects.model import Answer, Json

Variant = tuple[str, dict[str, Json]]
"""What is said otherwise, and the body that does."""


@server_property(
    "H21",
    "Saying a default changes nothing",
    sources=("VALID-25", "VALID-26", "SAMPLE-03", "GRAPH-09"),
    suits=repeatable_text,
)
def check_defaults(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """A documented default that is written out, null for an optional field, and another order of keys: same answer.

    For repeatable requests. All fields are tried at once; where that changes anything, each by itself.
    """
    del case
    for asked in lab.valid(generating=True):
        plain = lab.steady(asked)
        if plain is None or asked.endpoint is None or asked.body is None:
            continue
        yield from _tried(lab, asked, plain, _reversed(lab, asked))
        for together, apart in _variants(lab, asked):
            if any(_tried(lab, asked, plain, together)):
                # What only several of them do together is left out: some servers exclude a field beside another.
                for one in apart:
                    yield from _tried(lab, asked, plain, one)


def _tried(lab: HttpLab, asked: Asked, plain: Answer, variant: Variant) -> Iterator[Violation]:
    slug, body = variant
    assert asked.endpoint is not None
    answer = lab.put(asked.endpoint, body)
    lab.tally.looked += 1
    lab.tally.compared += 1
    if answer is None:
        yield from _refused(lab, slug, lab.derived(asked.endpoint, body))
    elif (found := _differs(lab, asked, plain, answer)) and lab.still_steady(asked):
        message = f"{found} changes with {slug}"
        yield lab.violation("H21", f"{found}-differ/{slug}", message, lab.derived(asked.endpoint, body))


def _refused(lab: HttpLab, slug: str, derived: Asked) -> Iterator[Violation]:
    if derived.reply.status is None:
        return  # there was no time to ask, or H2 has something to say
    _, cause = lab.blamed(derived.reply, None)
    message = f"the request is refused with {slug}"
    yield lab.violation("H21", f"refused/{slug}", message, derived, cause=cause, derived=True)


def _reversed(lab: HttpLab, asked: Asked) -> Variant:
    assert asked.body is not None and asked.endpoint is not None
    return "reversed-keys", dict(reversed(lab.plain(asked.endpoint, asked.body).items()))


def _variants(lab: HttpLab, asked: Asked) -> Iterator[tuple[Variant, list[Variant]]]:
    """The body with every default that it leaves out, and with as many nulls; and with one of them at a time."""
    assert asked.body is not None and asked.endpoint is not None
    body = lab.plain(asked.endpoint, asked.body)
    known = asked.endpoint.request(lab.limits)["properties"]
    absent = [
        (path, value)
        for path, value in lab.dialect.defaults
        if path[0] in known
        and path[0] not in lab.family.unsupported
        and path[0] != "stream"
        and lookup(body, path) is None
    ]
    for name, values in (("default", absent), ("null", [(path, None) for path, _ in absent])):
        everything = body
        for path, value in values:
            everything = placed(everything, path, value)
        apart = [(f"{'.'.join(path)}-{name}", placed(body, path, value)) for path, value in values]
        if apart:
            yield (f"every-{name}", everything), apart


def _differs(lab: HttpLab, asked: Asked, plain: Answer, answer: Answer) -> str:
    if len(plain.choices) != len(answer.choices):
        return "choices"
    pairs = zip(plain.choices, answer.choices, strict=True)
    return next((found for pair in pairs if (found := differs(lab, asked, *pair, company=False))), "")
