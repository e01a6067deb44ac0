"""Streams follow their grammar and say what the answer at once says."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Cost, Violation
from fuzz.properties.servers.asked import repeatable_text
from fuzz.properties.servers.near_ties import differs
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.fields import is_repeatable
from targets.http.dialects.model import Answer, EndpointKind, Json

_REPETITIONS = 3
"""Times that a request is sent again."""


@server_property(
    "H41",
    "Streams follow their grammar",
    sources=("STREAM-12", "STREAM-13", "LIFE-07"),
    cost=Cost.OBSERVES,
)
def check_grammar(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Every event of the stream of a valid request is in its place: framing, order, required fields, the terminator."""
    del case
    for asked in lab.valid(generating=True):
        answer = lab.answer(asked)
        if answer is None or asked.reply.media_type != lab.dialect.stream_type:
            continue
        lab.tally.looked += 1
        for problem in answer.problems:
            yield lab.malformed("H41", "the stream breaks its grammar", problem, asked)


@server_property(
    "H9",
    "A stream equals the answer at once",
    sources=("STREAM-01", "STREAM-02", "STREAM-03", "STREAM-05", "STREAM-06", "STREAM-08", "STREAM-09"),
    suits=repeatable_text,
)
def check_equal(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """For a repeatable request the deltas run together are the text; finish reasons, log-probabilities and usage agree.

    Requests whose repetition differs are left to H17.
    """
    del case
    for asked in lab.valid(generating=True):
        whole = lab.steady(asked)
        if whole is None or asked.endpoint is None or asked.body is None or not asked.endpoint.can_stream:
            continue
        streamed = lab.put(asked.endpoint, _streaming(lab, asked))
        if streamed is None or streamed.problems:
            continue
        lab.tally.looked += 1
        lab.tally.compared += 1
        found = list(_compare(lab, asked, whole, streamed))
        if found and lab.still_steady(asked):
            yield from found


@server_property(
    "H17",
    "The same request gets the same answer",
    sources=("DEVICE-02", "CACHE-22", "SAMPLE-15"),
    suits=repeatable_text,
)
def check_repeat(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """Sent again a few times, a greedy or seeded request gets the same text, finish reasons and log-probabilities."""
    del case
    for asked in lab.valid(generating=True):
        if asked.body is None or asked.endpoint is None or not is_repeatable(lab.dialect, asked.body):
            continue
        first = lab.put(asked.endpoint, lab.plain(asked.endpoint, asked.body))
        if first is not None and not first.problems:
            yield from _repeated(lab, asked, first)


def _repeated(lab: HttpLab, asked: Asked, first: Answer) -> Iterator[Violation]:
    """The first difference that shows: what depends on the moment may well agree once."""
    assert asked.endpoint is not None and asked.body is not None
    for _ in range(_REPETITIONS):
        again = lab.put_again(asked.endpoint, lab.plain(asked.endpoint, asked.body))
        if again is None or again.problems:
            return
        lab.tally.looked += 1
        lab.tally.compared += 1
        for one, other in zip(first.choices, again.choices, strict=False):
            if found := differs(lab, asked, one, other):
                message = f"choice {one.index} answers {one.text!r}, then {other.text!r}"
                yield lab.violation("H17", f"{found}-differ", message, asked)
                return


def _streaming(lab: HttpLab, asked: Asked) -> dict[str, Json]:
    assert asked.body is not None and asked.endpoint is not None
    plain = lab.plain(asked.endpoint, asked.body)
    wants_usage = lab.dialect.name == "openai" and "stream_options" not in lab.family.unsupported
    return plain | {"stream": True} | ({"stream_options": {"include_usage": True}} if wants_usage else {})


def _compare(lab: HttpLab, asked: Asked, whole: Answer, streamed: Answer) -> Iterator[Violation]:
    if len(whole.choices) != len(streamed.choices):
        message = f"{len(streamed.choices)} choices are streamed, {len(whole.choices)} answered at once"
        yield lab.violation("H9", "choices-differ", message, asked)
        return
    for one, other in zip(whole.choices, streamed.choices, strict=True):
        if found := differs(lab, asked, one, other, company=False):
            message = f"choice {one.index}: {found} is {_shown(one, found)} at once and {_shown(other, found)} streamed"
            yield lab.violation("H9", f"{found}-differ", message, asked)
    if any(one.text != other.text for one, other in zip(whole.choices, streamed.choices, strict=True)):
        return  # another text may well have another length
    chat_or_text = asked.endpoint is not None and asked.endpoint.kind is not EndpointKind.EMBED
    if chat_or_text and whole.usage and streamed.usage and whole.usage != streamed.usage:
        yield lab.violation("H9", "usage-differs", f"usage is {whole.usage} at once, {streamed.usage} streamed", asked)


def _shown(choice: object, field: str) -> str:
    return repr(getattr(choice, field))[:120]
