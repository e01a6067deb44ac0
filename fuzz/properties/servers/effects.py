"""Parameters do what they are for."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_answers import same_choices
from fuzz.lab.server_causes import unread
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.accounting import STOP_KEPT, TOO_LONG
from fuzz.properties.servers.asked import repeatable_text
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.fields import is_greedy, lookup, placed
from targets.http.dialects.model import Answer, Json

PENALTIES = ("presence_penalty", "frequency_penalty")
PENALTY = 2.0
"""Documented as the largest."""
LONG = 96
"""Tokens in which some token is nearly always seen more than once."""


@server_property(
    "H31",
    "Parameters have an effect",
    sources=("SAMPLE-05", "BATCH-27", "STREAM-07"),
    suits=repeatable_text,
)
def check_effects(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """`max_tokens: 1` gives one token, a stop string cut from the answer ends it there, a bias of +100 forces a token.

    Where half a presence and half a frequency penalty change a longer greedy answer, a whole frequency penalty does so
    too: it moves apart no less any two tokens that those move apart, since a token that was seen was seen once or more.

    For repeatable requests with one choice; the first three without other stop strings, biases, echo or penalties.
    """
    del case
    for asked in lab.valid(generating=True):
        plain = lab.steady(asked)
        if plain is None or len(plain.choices) != 1 or asked.body is None:
            continue
        if _is_plain(lab, asked.body):
            yield from _one_token(lab, asked)
            yield from _stop(lab, asked, plain)
            yield from _bias(lab, asked)
        yield from _penalty(lab, asked)


def _one_token(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    answer = _ask(lab, asked, lab.dialect.max_tokens_field, 1)
    if answer is None or answer.usage is None:
        return
    lab.tally.looked += 1
    if answer.usage.completion not in (0, 1):
        message = f"{answer.usage.completion} tokens came although at most 1 was asked for"
        shown = _derived(lab, asked, lab.dialect.max_tokens_field, 1)
        yield lab.violation("H31", "max-tokens-ignored", message, shown, cause=TOO_LONG)


def _stop(lab: HttpLab, asked: Asked, plain: Answer) -> Iterator[Violation]:
    text = plain.choices[0].text
    stop = text[len(text) // 2 :][:2]
    if len(stop) < 2 or "\ufffd" in stop or not stop.strip():
        return
    expected = text[: text.index(stop)]
    answer = _ask(lab, asked, lab.dialect.stop_field, [stop])
    if answer is None or not answer.choices:
        return
    lab.tally.looked += 1
    if answer.choices[0].text != expected:
        message = f"with the stop string {stop!r} the text is {answer.choices[0].text!r} instead of {expected!r}"
        shown = _derived(lab, asked, lab.dialect.stop_field, [stop])
        cause = STOP_KEPT if stop in answer.choices[0].text else ""
        yield lab.violation("H31", "stop-ignored", message, shown, cause=cause)


def _bias(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    if not _knows(lab, asked, ("logit_bias",)) or lab.limits.vocab_size is None:
        return
    answers = [_ask(lab, asked, ("logit_bias",), {str(token): 100}) for token in (70, 80)]
    texts = [answer.choices[0].text for answer in answers if answer and answer.choices]
    if len(texts) == 2:
        lab.tally.looked += 1
        if texts[0] == texts[1]:
            yield lab.violation(
                "H31",
                "bias-ignored",
                f"a bias of 100 on two tokens gives {texts[0]!r} both times",
                _derived(lab, asked, ("logit_bias",), {"70": 100}),
                cause=unread("logit_bias"),
            )


def _penalty(lab: HttpLab, asked: Asked) -> Iterator[Violation]:
    place = _place_of_options(lab)
    if not all(_knows(lab, asked, (*place, name)) for name in PENALTIES) or not is_greedy(lab.dialect, asked.body):
        return
    length = min(LONG, (lab.limits.context_length or LONG) // 3)
    penalties = ((0.0, 0.0), (-PENALTY / 2, -PENALTY / 2), (0.0, -PENALTY))
    plain, shared, alone = (_penalised(lab, asked, length, both) for both in penalties)
    if plain is None or shared is None or alone is None:
        return
    lab.tally.looked += 1
    if not _part_early(plain, shared) or not same_choices(plain, alone):
        return
    again = (_penalised(lab, asked, length, both, anew=True) for both in penalties)
    if all(two is not None and same_choices(one, two) for one, two in zip((plain, shared, alone), again, strict=True)):
        message = f"a frequency penalty of {-PENALTY} does not change {length} tokens that half of it changes together"
        message += " with half a presence penalty"
        yield lab.violation("H31", "frequency-penalty-ignored", message, asked, cause=unread("frequency_penalty"))


def _penalised(
    lab: HttpLab, asked: Asked, length: int, both: tuple[float, float], *, anew: bool = False
) -> Answer | None:
    """The answer of so many tokens under both penalties, if it is a whole one."""
    assert asked.endpoint is not None and asked.body is not None
    body = placed(lab.plain(asked.endpoint, asked.body), lab.dialect.max_tokens_field, length)
    for name, value in zip(PENALTIES, both, strict=True):
        body = placed(body, (*_place_of_options(lab), name), value)
    answer = (lab.put_again if anew else lab.put)(asked.endpoint, body)
    return answer if answer is not None and answer.choices and not answer.problems else None


def _part_early(one: Answer, other: Answer) -> bool:
    """Whether the texts differ before the last quarter, so that what follows can hardly hide a difference."""
    first, second = one.choices[0].text, other.choices[0].text
    early = 3 * len(first) // 4
    return first[:early] != second[:early]


def _place_of_options(lab: HttpLab) -> tuple[str, ...]:
    """Where a body has its sampling parameters; empty where at the top."""
    return lab.dialect.max_tokens_field[:-1]


def _knows(lab: HttpLab, asked: Asked, path: tuple[str, ...]) -> bool:
    """Whether the documented body of the endpoint has such a field, and the server supports it."""
    assert asked.endpoint is not None
    schema: Json = asked.endpoint.request(lab.limits)
    for name in path:
        schema = next((one for one in schema.get("anyOf", (schema,)) if "properties" in one), {})
        schema = schema.get("properties", {}).get(name)
        if schema is None:
            return False
    return path[-1] not in lab.family.unsupported


def _ask(lab: HttpLab, asked: Asked, path: tuple[str, ...], value: Json) -> Answer | None:
    assert asked.endpoint is not None and asked.body is not None
    return lab.put(asked.endpoint, placed(lab.plain(asked.endpoint, asked.body), path, value))


def _derived(lab: HttpLab, asked: Asked, path: tuple[str, ...], value: Json) -> Asked:
    """What `_ask` asked."""
    assert asked.endpoint is not None and asked.body is not None
    return lab.derived(asked.endpoint, placed(lab.plain(asked.endpoint, asked.body), path, value))


def _is_plain(lab: HttpLab, body: dict[str, Json]) -> bool:
    names = ("logit_bias", "echo", *PENALTIES, "repeat_penalty", "logprobs")
    places = {(), _place_of_options(lab)}
    used = any(lookup(body, (*place, name)) for place in places for name in names)
    return not used and not lookup(body, lab.dialect.stop_field)
