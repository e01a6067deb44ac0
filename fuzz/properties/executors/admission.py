"""The documented domain: valid requests are served, invalid ones are refused, and a refusal hurts nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from fuzz.lab.driver import without_arrivals
from fuzz.lab.lab import Lab
from fuzz.lab.recording import Answer, Recording
from fuzz.lab.relation import relate, steady
from fuzz.lab.sampling import nothing_left
from fuzz.lab.tolerance import REPEAT
from fuzz.properties.executors.boundaries import COLLECTIONS, neighbours
from fuzz.properties.model import Cost, Evidence, Violation
from fuzz.properties.registry import register
from targets.contract import FinishReason, KnobValue, Request, SamplingParams
from targets.domain import FLOAT_FIELDS, INTEGER_FIELDS, NEUTRAL, Breach
from targets.trace import Arrival, Defect, Trace


@register(
    "P4",
    "Invalid requests are refused",
    sources=("VALID-01", "VALID-02", "VALID-05", "VALID-31", "VALID-38"),
    malformed=True,
)
def invalid_is_refused(lab: Lab, case: Trace) -> Iterator[Violation]:
    """A request outside the documented domain raises `RequestRejected`, which names the field and what is allowed.

    It never raises anything else and is never admitted, and the other requests get the same results as without it
    (bit for bit on the CPU).
    """
    refused = [answer for answer in lab.base.answers.values() if answer.breaches and answer.submitted is not None]
    for answer in refused:
        lab.tally.looked += 1
        yield from _refusal("P4", answer, _accepted_beside(lab, case, answer))
    names = frozenset(name for name, answer in lab.base.answers.items() if answer.breaches)
    rest = without_arrivals(case, names)
    if names and rest.arrivals:
        clean = lab.record(rest)
        exact = lab.exact and steady(lab.base)
        for found in relate(lab, "P4", clean, lab.base, REPEAT, exact=exact):
            yield msgspec.structs.replace(found, slug=f"neighbour-{found.slug}")


@register(
    "P5",
    "Valid requests are served",
    sources=("VALID-25", "LIMITS-09", "FINITE-13", "CACHE-15"),
    cost=Cost.OBSERVES,
)
def valid_is_served(lab: Lab, _case: Trace) -> Iterator[Violation]:
    """A request inside the documented domain is accepted and does not end with `error`.

    Tolerated: a refusal because prompt and completion need more blocks than the whole pool of these knobs has, and an
    error where every token ends generation and none may before `min_tokens`.
    """
    for answer in lab.base.answers.values():
        if not answer.breaches and answer.submitted is not None:
            lab.tally.looked += 1
            yield from _service("P5", lab, lab.base, answer)


@register(
    "P6",
    "Boundary neighbours",
    sources=("VALID-02", "VALID-05", "VALID-38"),
)
def boundary_neighbours(lab: Lab, case: Trace) -> Iterator[Violation]:
    """Numbers beside a documented bound are served or refused exactly as documented.

    For every numeric sampling field that a request of the case sets: the bounds and their neighbours, 0, +-1, the
    vocabulary size +-1, 2**31 +-1, 2**53 + 1, 2**63 +-1, NaN, infinities, and `True` (a boolean is no number). For
    stop strings, stop tokens and biases: as many as are allowed and one more, the last token id and the next. For a
    JSON schema: others as deep, as long and as large as is allowed, and a step beyond. Each is sent in a request of its
    own, with a prompt of the case and one token to generate.
    """
    request = next((answer.request for answer in lab.base.valid()), None)
    fields = sorted({name for answer in lab.base.valid() for name in _used(answer.request.sampling)})
    if request is None or not fields:
        return
    swept = _sweep(lab, request, fields, case.knobs)
    for answer in swept.answers.values():
        lab.tally.looked += 1
        if answer.breaches:
            yield from _refusal("P6", answer, _accepted(swept, answer.breaches[0].field))
        else:
            yield from _service("P6", lab, swept, answer)


def _sweep(lab: Lab, request: Request, fields: Iterable[str], knobs: Mapping[str, KnobValue]) -> Recording:
    """Values beside the bounds of fields of `SamplingParams`, each in a request of its own with a prompt as this."""
    sampling = SamplingParams(temperature=1.0, seed=1, max_tokens=1)
    plain = msgspec.structs.replace(request, id="plain", prompt=request.prompt[-4:], sampling=sampling)
    arrivals = [
        Arrival(
            request=msgspec.structs.replace(plain, id=f"{name}={text}"),
            defect=Defect(name="boundary", field=f"sampling.{name}", value=text),
        )
        for name in fields
        if name in lab.domain.supported
        for text in neighbours(name, lab.domain, lab.limits)
    ]
    return lab.record(Trace(arrivals=tuple(arrivals), knobs=dict(knobs)))


def _accepted(swept: Recording, field: str) -> Iterator[Breach]:
    """What is wrong with the requests that were accepted with a bad value of this field."""
    for answer in swept.answers.values():
        if answer.breaches and answer.breaches[0].field == field and answer.rejection is None:
            yield answer.breaches[0]


def _accepted_beside(lab: Lab, case: Trace, answer: Answer) -> Iterator[Breach]:
    """The same of a request that was accepted, and of others with values beside the bounds of its field."""
    breach = answer.breaches[0]
    yield breach
    sent = {arrival.request.id: arrival.request for arrival in case.arrivals}
    request, name = sent.get(answer.request.id), breach.field.removeprefix("sampling.")
    if request is not None and name in (*INTEGER_FIELDS, *FLOAT_FIELDS, *COLLECTIONS):
        yield from _accepted(_sweep(lab, request, [name], case.knobs), breach.field)


def _used(sampling: SamplingParams) -> Iterator[str]:
    for name in (*INTEGER_FIELDS, *FLOAT_FIELDS, *COLLECTIONS):
        if getattr(sampling, name) != getattr(NEUTRAL, name):
            yield name


def _refusal(code: str, answer: Answer, accepted: Iterator[Breach]) -> Iterator[Violation]:
    """What is wrong with how a bad value was refused; `accepted` finds those of its field that were not, if asked."""
    name, breach = answer.request.id, answer.breaches[0]
    if answer.failure is not None:
        message = f"{breach} raised {answer.failure.error_type}: {answer.failure.message}"
        evidence: dict[str, Evidence] = {"stack": [*answer.failure.stack.splitlines()[-8:]]}
        slug = answer.failure.slug
        yield Violation(code=code, slug=slug, message=message, request_id=name, evidence=evidence, cause=slug)
    elif answer.rejection is None:
        slug = f"accepted-{_place(breach.field)}"
        # P4 and P6 ask for one check of one field, so what both of them miss is one bug. Where all that a field takes
        # would be refused by a check that other fields share, that is the bug.
        checks = {one.check for one in accepted}
        shared = checks.pop() if len(checks) == 1 else ""
        cause = f"accepted/{shared}" if shared else slug
        yield Violation(code=code, slug=slug, message=f"{breach}, but it was accepted", request_id=name, cause=cause)
    elif not answer.rejection.field or not answer.rejection.allowed:
        message = f"the refusal of {breach} does not say what is wrong and what is allowed: {answer.rejection}"
        yield Violation(code=code, slug="silent-refusal", message=message, request_id=name)


def _service(code: str, lab: Lab, recording: Recording, answer: Answer) -> Iterator[Violation]:
    name = answer.request.id
    if answer.rejection is not None and not _too_large(recording, answer):
        refusal = answer.rejection
        slug = f"refused-{_place(refusal.field)}"
        message = f"a valid request was refused: {refusal.field} = {refusal.value}, allowed: {refusal.allowed}"
        yield Violation(code=code, slug=slug, message=message, request_id=name, cause=slug)
    for sample in answer.samples:
        if sample.finish_reason is FinishReason.ERROR and not nothing_left(answer.request.sampling, lab.limits):
            message = f"a valid request ended with an error: {sample.error}"
            yield Violation(code=code, slug="error", message=message, request_id=name)
            return


def _too_large(recording: Recording, answer: Answer) -> bool:
    """Whether the samples of this request need more blocks than the pool has."""
    block = recording.trace.knobs.get("block_size")
    blocks = recording.opened.total_blocks if recording.opened else recording.trace.knobs.get("total_blocks")
    if not isinstance(block, int) or not isinstance(blocks, int):
        return False
    sampling = answer.request.sampling
    return sampling.n * -(-(len(answer.request.prompt) + sampling.max_tokens) // block) > blocks


def _place(field: str) -> str:
    """The field without positions and keys, so that one cause has one name."""
    return field.partition("[")[0]
