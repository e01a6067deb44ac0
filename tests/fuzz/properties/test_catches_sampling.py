"""Breaking how a token is drawn is seen by the right property of P17 to P31."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from targets.contract import SamplingParams
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor
from targets.reference.sampling import draws, penalties, sampler

OTHER = tuple(range(90, 103))


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
        lambda logits, sampling, history, ends, _generated, _constraint: process(logits, sampling, history, ends, 1000),
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


def test_p26_sees_a_missing_crossing_token_where_each_of_many_tokens_is_improbable(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request(temperature=2.0, seed=1, top_p=0.9))
    assert signatures(trace, "P26") == set()

    monkeypatch.setattr(sampler, "within_top_p", lambda mass, top_p: (mass.cumsum(axis=-1) < top_p) | (top_p >= 1))

    assert signatures(trace, "P26") == {"P26/distribution"}


def test_p26_sees_that_only_the_best_is_kept_where_top_k_cuts_between_equals(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request(temperature=1.0, seed=1, top_k=3))
    assert signatures(trace, "P26") == set()

    monkeypatch.setattr(sampler, "within_top_k", lambda vocab_size, top_k: np.arange(vocab_size) < np.minimum(top_k, 1))

    assert signatures(trace, "P26") == {"P26/distribution"}


def test_p26_sees_a_fraction_of_the_best_that_is_taken_of_one(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sampler, "within_min_p", lambda mass, min_p: mass >= min_p)
    trace = make_trace(make_request(temperature=0.5, seed=1, min_p=0.5))

    assert signatures(trace, "P26") == {"P26/distribution"}


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("within_top_k", lambda vocab_size, top_k: np.arange(vocab_size) < np.minimum(top_k, 1)),
        ("within_top_p", lambda mass, top_p: (mass.cumsum(axis=-1) < top_p) | (top_p >= 1)),
        ("within_min_p", lambda mass, min_p: mass >= min_p),
    ],
)
def test_p26_tries_each_filter_where_the_request_has_none(
    name: str, broken: Any, monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request(temperature=1.0, seed=1))
    assert signatures(trace, "P26") == set()

    monkeypatch.setattr(sampler, name, broken)

    assert signatures(trace, "P26") == {"P26/distribution"}


def test_p27_sees_a_threshold_taken_over_the_whole_batch(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sampler, "within_min_p", lambda mass, min_p: mass >= min_p * mass.max())

    trace = make_trace(make_request(temperature=2.0, seed=1, min_p=0.2))

    assert "P27/tokens-differ" in signatures(trace, "P27")


def test_p27_sees_that_top_k_keeps_one_too_many(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    within = sampler.within_top_k
    monkeypatch.setattr(sampler, "within_top_k", lambda shape, top_k: within(shape, np.where(top_k > 0, top_k + 1, 0)))

    trace = make_trace(make_request(temperature=2.0, seed=1, max_tokens=16, ignore_eos=True))

    assert "P27/tokens-differ" in signatures(trace, "P27")


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


def test_p31_tries_the_smallest_penalty_where_no_request_has_any(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    trace = make_trace(make_request())
    assert signatures(trace, "P31") == set()

    monkeypatch.setattr(penalties, "LARGEST", np.inf)

    assert signatures(trace, "P31") == {"P31/seed-without-effect"}


def test_p31_sees_a_seed_that_is_ignored(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    uniform = draws.uniform
    monkeypatch.setattr(engine, "uniform", lambda _seed, sample, position: uniform(7, sample, position))

    trace = make_trace(make_request(temperature=2.0, seed=1, max_tokens=16, ignore_eos=True))

    assert signatures(trace, "P31") == {"P31/seed-without-effect"}


def without_bias(sampling: SamplingParams) -> SamplingParams:
    """The parameters without bias."""
    return SamplingParams(**{name: getattr(sampling, name) for name in ("temperature", "max_tokens", "seed")})
