from __future__ import annotations

import random
from collections import Counter

import msgspec

from fuzz.campaign.rotation import Rotation, is_malformed
from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Trial
from fuzz.judge import Description
from fuzz.properties.model import Verdict
from targets.contract import Request, SamplingParams, TargetKind
from targets.trace import Arrival, Defect, Trace

PLAIN = Trace(arrivals=(Arrival(request=Request(id="a", prompt=(1,))),))
BROKEN = Trace(
    arrivals=(
        Arrival(request=Request(id="a", prompt=(1,)), defect=Defect(name="d", field="sampling.top_p", value="-1")),
    )
)
DESCRIPTION = Description(
    target="t",
    device="cpu",
    dtype="float32",
    kind=TargetKind.EXECUTOR,
    capabilities=(),
    observing=("P1", "P2"),
    relating=("P4", "P11", "P17"),
    missing={},
)


def rotation() -> Rotation:
    return Rotation(DESCRIPTION, random.Random(0))


def test_observing_properties_judge_every_case_and_one_other_joins_them() -> None:
    codes = rotation().next(PLAIN)
    assert codes[:2] == ("P1", "P2")
    assert codes[2:] in {("P11",), ("P17",)}


def test_a_property_gets_no_turn_on_a_case_that_does_not_suit_it() -> None:
    description = msgspec.structs.replace(DESCRIPTION, relating=("P24",))
    penalised = Request(id="a", prompt=(1,), sampling=SamplingParams(temperature=0.0, presence_penalty=1.0))
    chosen = Rotation(description, random.Random(0))

    assert chosen.next(PLAIN) == DESCRIPTION.observing
    assert chosen.next(Trace(arrivals=(Arrival(request=penalised),))) == (*DESCRIPTION.observing, "P24")


def test_a_malformed_case_is_judged_by_the_properties_of_malformed_ones() -> None:
    assert is_malformed(BROKEN)
    assert rotation().next(BROKEN) == ("P1", "P2", "P4")


def test_a_property_that_never_has_anything_to_compare_gets_few_turns() -> None:
    turns: Counter[str] = Counter()
    chosen = rotation()
    for _ in range(400):
        codes = chosen.next(PLAIN)
        turns[codes[-1]] += 1
        verdict = Verdict(checked=tuple(code for code in codes if code != "P17"))
        chosen.learn(Trial(PLAIN, Outcome(fate=Fate.COMPLETED), verdict, codes))
    assert turns["P11"] > 4 * turns["P17"] > 0


def test_turns_that_no_other_property_could_have_had_do_not_count() -> None:
    """P24 is for penalties, P11 for any trace: it alone judges the plain ones."""
    chosen = Rotation(msgspec.structs.replace(DESCRIPTION, relating=("P11", "P24")), random.Random(0))
    sampling = SamplingParams(temperature=0.0, presence_penalty=1.0)
    penalised = Trace(arrivals=(Arrival(request=Request(id="a", prompt=(1,), sampling=sampling)),))
    turns: Counter[str] = Counter()
    for case in [PLAIN] * 400 + [penalised] * 100:
        codes = chosen.next(case)
        turns[codes[-1]] += case is penalised
        chosen.learn(Trial(case, Outcome(fate=Fate.COMPLETED), Verdict(checked=codes), codes))
    assert turns["P11"] > 25
