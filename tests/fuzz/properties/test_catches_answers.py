"""Breaking one line of the reference executor's door, sampler or text is seen by the right property."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from targets.contract import FinishReason, Limits, Request, SamplingParams, TokenLogprobs
from targets.reference import DECODER, HASH, admission
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor
from targets.reference.model import batch
from targets.reference.model.hashing import HashModel
from targets.reference.sampling import draws, logprobs, penalties, sampler
from targets.reference.text import tokenizer
from targets.reference.text.detokenizer import Detokenizer
from targets.reference.text.stop import StopScanner
from targets.trace import Arrival, Defect

PROMPT = tuple(range(40, 54))
OTHER = tuple(range(90, 103))
BYTES = 3
"""Token id of byte 0."""


def test_p4_sees_that_a_nan_is_accepted(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(admission, "_check_number", lambda *_arguments, **_options: None)
    defect = Defect(name="temperature-nan", field="sampling.temperature", value="nan")

    assert signatures(make_trace(Arrival(request=make_request(), defect=defect)), "P4") == {
        "P4/accepted-sampling.temperature"
    }


def test_p6_sees_that_one_stop_string_too_many_is_accepted(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(admission, "MAX_STOP_STRINGS", 17)

    assert signatures(make_trace(make_request(stop=("x",))), "P6") == {"P6/accepted-sampling.stop"}


def test_p4_sees_an_exception_that_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def check(sampling: SamplingParams, _limits: Limits) -> None:
        raise IndexError(f"{sampling.stop} has no first character")

    monkeypatch.setattr(admission, "_check_stops", check)
    defect = Defect(name="stop-empty", field="sampling.stop", value="('',)")

    found = signatures(make_trace(Arrival(request=make_request(), defect=defect)), "P1", "P4")

    assert found == {"P4/raised-IndexError-admission.py:admit"}


def test_p4_sees_that_a_refusal_changes_its_neighbours(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    submit, sample = ReferenceExecutor.submit, ReferenceExecutor._sample

    def damaging(self: Any, request: Request) -> None:
        self.refused = request.prompt[0] < 0
        submit(self, request)

    def damaged(self: Any, *rows: Any) -> list[int | None]:
        return [7 for _ in rows[0]] if self.refused else sample(self, *rows)

    monkeypatch.setattr(ReferenceExecutor, "submit", damaging)
    monkeypatch.setattr(ReferenceExecutor, "_sample", damaged)
    defect = Defect(name="token-negative", field="prompt[0]", value="-1")

    trace = make_trace(
        make_request("a", max_tokens=6, ignore_eos=True), Arrival(request=make_request("b"), step=2, defect=defect)
    )

    assert signatures(trace, "P4") == {"P4/neighbour-tokens-differ"}


def test_p5_sees_that_a_valid_request_is_refused(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    check = admission._check_number
    monkeypatch.setattr(
        admission,
        "_check_number",
        lambda name, value, least, most, positive=False: check(name, value, least, most, positive or name == "min_p"),
    )

    assert signatures(make_trace(make_request()), "P5") == {"P5/refused-sampling.min_p"}


def test_p6_sees_that_true_passes_for_a_number(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    check = admission._check_integer
    monkeypatch.setattr(
        admission,
        "_check_integer",
        lambda name, value, *bounds: check(name, int(value) if value is True else value, *bounds),
    )

    found = signatures(make_trace(make_request(temperature=1.0, seed=3, top_k=5)), "P6")

    assert "P6/accepted-sampling.top_k" in found


def test_p9_sees_text_that_is_held_back_and_lost(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(StopScanner, "flush", lambda _self: "")
    first = make_request(logit_bias={BYTES + ord("a"): 100.0})

    assert signatures(make_trace(first), "P9") == set()
    cut = make_request(logit_bias={BYTES + ord("a"): 100.0}, stop=("ab",))
    assert signatures(make_trace(cut), "P9") == {"P9/text-differs"}


def test_p9_sees_an_unfinished_character_that_disappears(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(Detokenizer, "flush", lambda _self: "")
    half = make_request(logit_bias={BYTES + 0xC3: 100.0})

    assert signatures(make_trace(half), "P9") == {"P9/text-differs"}


def test_p10_sees_a_nan_among_the_log_probabilities(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(engine, "token_logprobs", lambda *_: TokenLogprobs(logprob=math.nan))

    assert signatures(make_trace(make_request(logprobs=0)), "P10") == {"P10/logprob-not-finite"}


def test_p10_sees_nan_logits(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    logits = ReferenceExecutor.logits

    def broken(self: ReferenceExecutor, token_ids: Any) -> Any:
        rows = logits(self, token_ids).copy()
        if len(token_ids) > len(PROMPT):
            rows[-1, 0] = math.nan
        return rows

    monkeypatch.setattr(ReferenceExecutor, "logits", broken)

    assert "P10/logits-not-finite" in signatures(make_trace(make_request()), "P10")


def test_p17_sees_draws_that_depend_on_what_ran_before(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    drawn: list[int] = []

    def uniform(seed: int, sample: int, position: int) -> float:
        drawn.append(seed)
        return (len(drawn) * 0.618) % 1.0

    monkeypatch.setattr(engine, "uniform", uniform)

    trace = make_trace(make_request(temperature=2.0, seed=1, max_tokens=8))

    assert "P17/tokens-differ" in signatures(trace, "P17")


def test_p18_sees_samples_that_share_one_stream(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    uniform = draws.uniform
    monkeypatch.setattr(engine, "uniform", lambda seed, _sample, position: uniform(seed, 0, position))

    trace = make_trace(make_request(temperature=2.0, seed=1, n=2, max_tokens=12, ignore_eos=True))

    assert signatures(trace, "P18") == {"P18/samples-alike"}


def test_p18_sees_draws_that_depend_on_the_order_of_arrival(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    chosen = ReferenceExecutor._sample

    def by_row(self: ReferenceExecutor, rows: Any, raw: Any) -> Any:
        order = {id(sequence): place for place, sequence in enumerate(rows)}
        uniform = draws.uniform
        with pytest.MonkeyPatch.context() as patch:
            places = iter(order.values())
            patch.setattr(
                engine, "uniform", lambda seed, sample, position: uniform(seed + 1000 * next(places), sample, position)
            )
            return chosen(self, rows, raw)

    monkeypatch.setattr(ReferenceExecutor, "_sample", by_row)
    trace = make_trace(
        make_request("a", temperature=2.0, seed=1, max_tokens=8), make_request("b", OTHER, temperature=2.0, seed=2)
    )

    assert "P18/tokens-differ" in signatures(trace, "P18")


def test_p21_sees_that_a_bias_of_nothing_bans(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    process = penalties.process

    def banning(logits: Any, sampling: SamplingParams, *rest: Any) -> None:
        process(logits, sampling, *rest)
        if 0.0 in sampling.logit_bias.values():
            logits[: logits.size // 2] = -1e9

    monkeypatch.setattr(engine, "process", banning)

    assert "P21/tokens-differ" in signatures(make_trace(make_request(max_tokens=12)), "P21")


def test_p22_sees_logits_that_are_wrong_in_one_dtype_only(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    forward = HashModel.forward

    def broken(self: HashModel, *arguments: Any) -> Any:
        rows = forward(self, *arguments)
        return rows[:, ::-1].copy() if str(self.dtype) == "torch.bfloat16" else rows

    monkeypatch.setattr(HashModel, "forward", broken)

    assert "P22/not-the-best-token" in signatures(make_trace(make_request()), "P22", dtype="bfloat16")


def test_p22_finds_both_dtypes_alike(make_request: Any, make_trace: Any, signatures: Any) -> None:
    trace = make_trace(make_request(logprobs=4))

    assert signatures(trace, "P22", dtype="bfloat16") == set()
    assert signatures(trace, "P22", target=DECODER, dtype="bfloat16") == set()


def test_p23_sees_attention_to_later_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any, decoder_model: Any
) -> None:
    def seeing(pieces: Any, rows: Any, block_size: int) -> Any:
        made = batch.flatten(pieces, rows, block_size)
        keys = np.arange(made.key_slots.shape[1])
        return dataclasses.replace(
            made, distance=np.abs(made.distance), key_slots=np.broadcast_to(keys, made.key_slots.shape).copy()
        )

    monkeypatch.setattr(engine, "flatten", seeing)

    found = signatures(make_trace(make_request()), "P23", target=DECODER, model=decoder_model)

    assert found == {"P23/changing-later-tokens"}


def test_p24_sees_padding_among_the_penalised_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    sample = ReferenceExecutor._sample

    def padded(self: ReferenceExecutor, rows: Any, raw: Any) -> Any:
        longest = max(len(sequence.tokens) for sequence in rows)
        for sequence in rows:
            if sequence.history is not None and len(sequence.tokens) < longest:
                sequence.history.counts[0] += 1
        return sample(self, rows, raw)

    monkeypatch.setattr(ReferenceExecutor, "_sample", padded)

    assert "P24/tokens-differ" in signatures(make_trace(make_request(presence_penalty=2.0)), "P24")


def test_p25_sees_a_nucleus_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sampler, "within_top_p", lambda probabilities, _top_p: probabilities > 0)

    trace = make_trace(make_request(temperature=2.0, seed=1, top_p=0.1, max_tokens=16, ignore_eos=True))

    assert signatures(trace, "P25") == {"P25/outside-support"}


def test_p25_sees_an_end_token_before_min_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    process = penalties.process
    monkeypatch.setattr(
        engine,
        "process",
        lambda logits, sampling, history, ends, _generated: process(logits, sampling, history, ends, 1000),
    )

    trace = make_trace(make_request(logit_bias={2: 100.0}, min_tokens=3))

    assert signatures(trace, "P25", "P29") == {"P25/banned-token", "P29/min-tokens"}


def test_p26_sees_draws_that_are_not_uniform(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request(temperature=2.0, seed=1))
    assert signatures(trace, "P26") == set()

    uniform = draws.uniform
    monkeypatch.setattr(engine, "uniform", lambda *key: uniform(*key) ** 2)

    assert signatures(trace, "P26") == {"P26/distribution"}


def test_p26_sees_a_nucleus_without_its_crossing_token(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sampler, "within_top_p", lambda mass, top_p: (mass.cumsum(axis=-1) < top_p) | (top_p >= 1))

    trace = make_trace(make_request(temperature=2.0, seed=1, top_p=0.9, logit_bias={10: 60.0, 11: 60.0}))

    assert signatures(trace, "P26") == {"P26/distribution"}


def test_p27_sees_a_threshold_taken_over_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sampler, "within_min_p", lambda mass, min_p: mass >= min_p * mass.max())

    trace = make_trace(make_request(temperature=2.0, seed=1, min_p=0.2))

    assert "P27/tokens-differ" in signatures(trace, "P27")


def test_p21_sees_text_that_stays_held_back_at_the_end(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(StopScanner, "flush", lambda _self: "")

    trace = make_trace(make_request(logit_bias={BYTES + ord("a"): 100.0}))

    assert signatures(trace, "P21") == {"P21/text-differs"}


def test_p27_sees_that_top_k_keeps_one_too_many(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    within = sampler.within_top_k
    monkeypatch.setattr(sampler, "within_top_k", lambda shape, top_k: within(shape, np.where(top_k > 0, top_k + 1, 0)))

    trace = make_trace(make_request(temperature=2.0, seed=1, max_tokens=16, ignore_eos=True))

    assert "P27/tokens-differ" in signatures(trace, "P27")


def test_p28_sees_a_logarithm_to_base_ten(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    exact = logprobs.token_logprobs

    def decimal(*arguments: Any) -> TokenLogprobs:
        found = exact(*arguments)
        return TokenLogprobs(logprob=found.logprob / math.log(10))

    monkeypatch.setattr(engine, "token_logprobs", decimal)

    assert signatures(make_trace(make_request(logprobs=0)), "P28") == {"P28/wrong-value"}


def test_p28_sees_prompt_log_probabilities_shifted_by_one(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def shifted(item: Any, logits: Any) -> None:
        for position, row in enumerate(logits, start=item.sequence.computed):
            if position < item.sequence.prompt_length:
                token = item.sequence.tokens[position]
                item.sequence.prompt_logprobs[position] = logprobs.token_logprobs(row, token, 0)

    monkeypatch.setattr(engine, "collect_prompt_logprobs", shifted)

    assert signatures(make_trace(make_request(prompt_logprobs=0)), "P28") == {"P28/prompt-shape"}


def test_p29_sees_one_token_too_few(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    extend = ReferenceExecutor._extend_text

    def early(self: ReferenceExecutor, sequence: Any, token: int) -> Any:
        text, reason, stop = extend(self, sequence, token)
        if sequence.generated == sequence.sampling.max_tokens - 1:
            return text, FinishReason.LENGTH, None
        return text, reason, stop

    monkeypatch.setattr(ReferenceExecutor, "_extend_text", early)

    assert signatures(make_trace(make_request(ignore_eos=True)), "P29") == {"P29/length-too-early"}


def test_p29_sees_a_stop_string_that_is_missed_across_two_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def forgetful(self: StopScanner, text: str) -> str:
        if any(stop in text for stop in self._stops):
            self.matched = next(stop for stop in self._stops if stop in text)
            return text[: text.index(self.matched)]
        return text

    monkeypatch.setattr(StopScanner, "push", forgetful)
    letter = BYTES + ord("a")

    trace = make_trace(make_request(logit_bias={letter: 100.0}, stop=("aa",), max_tokens=8))

    assert {"P29/stop-shown", "P29/stop-missed"} <= signatures(trace, "P29")


def test_p30_sees_a_first_token_that_depends_on_the_limit(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    process = penalties.process

    def limited(logits: Any, sampling: SamplingParams, *rest: Any) -> None:
        process(logits, sampling, *rest)
        if sampling.max_tokens < 5:
            logits[: logits.size // 2] -= 1e6

    monkeypatch.setattr(engine, "process", limited)

    assert "P30/tokens-differ" in signatures(make_trace(make_request(max_tokens=8, ignore_eos=True)), "P30")


def test_p31_sees_a_bias_that_is_ignored(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    process = penalties.process
    monkeypatch.setattr(
        engine,
        "process",
        lambda logits, sampling, *rest: process(logits, without_bias(sampling), *rest),
    )

    assert signatures(make_trace(make_request(logit_bias={99: 5.0})), "P31") == {"P31/bias-without-effect"}


def test_p31_sees_a_seed_that_is_ignored(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    uniform = draws.uniform
    monkeypatch.setattr(engine, "uniform", lambda _seed, sample, position: uniform(7, sample, position))

    trace = make_trace(make_request(temperature=2.0, seed=1, max_tokens=16, ignore_eos=True))

    assert signatures(trace, "P31") == {"P31/seed-without-effect"}


def test_p33_sees_a_text_that_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda text: encode(text.replace("zz", "z")))

    assert signatures(make_trace(make_request(stop=("zz",))), "P33") == {"P33/round-trip"}


def without_bias(sampling: SamplingParams) -> SamplingParams:
    """The parameters without bias."""
    return SamplingParams(**{name: getattr(sampling, name) for name in ("temperature", "max_tokens", "seed")})


def test_the_unbroken_executor_passes_where_its_broken_copies_fail(
    make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(
        make_request("a", temperature=2.0, seed=1, n=2, top_p=0.5, logprobs=3, max_tokens=8),
        make_request("b", OTHER, presence_penalty=1.0, logit_bias={9: 5.0}, stop=("a",), prompt_logprobs=2),
        make_request("c", PROMPT, adapter="formal", cache_salt="s", min_tokens=2),
    )
    codes = ("P4", "P5", "P6", "P9", "P10", "P14", "P18", "P21", "P24", "P25", "P27", "P28", "P29", "P30", "P31", "P33")

    assert signatures(trace, *codes, target=HASH) == set()
