"""Parameters do what they are for."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.lab.server_answers import lookup, placed
from fuzz.lab.server_lab import Asked, HttpLab
from fuzz.properties.model import Violation
from fuzz.properties.servers.accounting import STOP_KEPT, TOO_LONG
from fuzz.properties.servers.registration import server_property
from targets.http.case import HttpCase
from targets.http.dialects.model import Answer, Json


@server_property("H31", "Parameters have an effect", sources=("SAMPLE-05", "BATCH-27", "STREAM-07"))
def check_effects(lab: HttpLab, case: HttpCase) -> Iterator[Violation]:
    """`max_tokens: 1` gives one token, a stop string cut from the answer ends it there, a bias of +100 forces a token.

    For repeatable requests with one choice, without other stop strings, biases, echo or penalties.
    """
    del case
    for asked in lab.valid(generating=True):
        plain = lab.steady(asked)
        if plain is None or len(plain.choices) != 1 or asked.body is None or not _is_plain(lab, asked.body):
            continue
        yield from _one_token(lab, asked)
        yield from _stop(lab, asked, plain)
        yield from _bias(lab, asked)


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
    assert asked.endpoint is not None
    known = asked.endpoint.request(lab.limits)["properties"]
    if "logit_bias" not in known or "logit_bias" in lab.family.unsupported or lab.limits.vocab_size is None:
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
            )


def _ask(lab: HttpLab, asked: Asked, path: tuple[str, ...], value: Json) -> Answer | None:
    assert asked.endpoint is not None and asked.body is not None
    return lab.put(asked.endpoint, placed(lab.plain(asked.endpoint, asked.body), path, value))


def _derived(lab: HttpLab, asked: Asked, path: tuple[str, ...], value: Json) -> Asked:
    """What `_ask` asked."""
    assert asked.endpoint is not None and asked.body is not None
    return lab.derived(asked.endpoint, placed(lab.plain(asked.endpoint, asked.body), path, value))


def _is_plain(lab: HttpLab, body: dict[str, Json]) -> bool:
    names = ("logit_bias", "echo", "presence_penalty", "frequency_penalty", "logprobs")
    return not lookup(body, lab.dialect.stop_field) and not any(body.get(name) for name in names)
