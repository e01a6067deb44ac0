"""Breaking one line of the reference executor's scheduler, memory or cache is seen by the right property."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from fuzz.lab.recording import Answer, Recording, Sample
from fuzz.properties.executors.safety import AFTER_END, starvation, unended, wrong_endings
from targets.contract import Output, Request, RequestRejected, Resources
from targets.reference import executor as engine
from targets.reference.executor import ReferenceExecutor
from targets.reference.memory import prefix_cache
from targets.reference.memory.blocks import BlockPool
from targets.reference.model import batch
from targets.reference.sampling import sampler
from targets.reference.schedule import sequence as sequences
from targets.reference.schedule.scheduler import Scheduler, Work
from targets.reference.schedule.sequence import Sequence
from targets.trace import Arrival

PROMPT = tuple(range(40, 54))
OTHER = tuple(range(90, 103))


def test_p1_sees_an_exception_in_a_step_and_names_the_place(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def publish(_self: Scheduler, sequence: Sequence) -> None:
        raise IndexError(f"list index out of range in {sequence.index}")

    monkeypatch.setattr(Scheduler, "publish", publish)

    assert signatures(make_trace(make_request()), "P1") == {"P1/raised-IndexError-executor.py:_settle"}


def test_p1_sees_an_exception_that_only_another_run_raises(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def flatten(pieces: Any, rows: Any, block_size: int) -> Any:
        if any(len(piece.tokens) == 1 and piece.start < len(PROMPT) - 1 for piece in pieces):
            raise ValueError("a chunk of one token")
        return batch.flatten(pieces, rows, block_size)

    monkeypatch.setattr(engine, "flatten", flatten)

    assert signatures(make_trace(make_request()), "P1") == set()
    assert signatures(make_trace(make_request()), "P1", "P15") == {"P1/raised-ValueError-executor.py:_run"}


def test_p2_sees_a_request_that_waits_forever(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(Scheduler, "_take_blocks", lambda _self, sequence: sequence.group.arrival == 1)

    assert signatures(make_trace(make_request("a"), make_request("b", OTHER)), "P2") >= {"P2/stuck"}


@pytest.mark.parametrize(("terminals", "slug"), [(2, "two-ends"), (1, "event-after-end")])
def test_what_comes_after_the_end_has_one_cause_whether_it_is_another_end_or_not(
    make_request: Any, make_trace: Any, terminals: int, slug: str
) -> None:
    request = make_request()
    answer = Answer(request=request, samples=(Sample(index=0, terminals=terminals, late=1),))
    recording = Recording(trace=make_trace(request), answers={request.id: answer})

    assert [(one.slug, one.cause) for one in wrong_endings(recording)] == [(slug, AFTER_END)]


def test_p2_sees_a_request_that_never_ends(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(ReferenceExecutor, "step", lambda _self: [Output(request_id="r")])

    assert "P2/endless" in signatures(make_trace(make_request()), "P2")


def test_p2_sees_that_the_oldest_request_is_preempted(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def reserve(self: Scheduler, sequence: Sequence, tokens: int) -> bool:
        while len(sequence.blocks) < self._settings.blocks_for(tokens):
            if self._pool.available:
                sequence.blocks.append(self._pool.allocate())
                continue
            oldest = self.running[0]
            self._preempt(oldest)
            if oldest is sequence:
                return False
        return True

    trace = make_trace(
        make_request("a", max_tokens=16, ignore_eos=True),
        make_request("b", OTHER, max_tokens=16, ignore_eos=True),
        total_blocks=10,
        prefix_cache=False,
    )
    assert signatures(trace, "P2") == set()

    monkeypatch.setattr(Scheduler, "_reserve", reserve)

    assert signatures(trace, "P2") == {"P2/starved"}


def answered(request: Request, submitted: int, *steps: int) -> Answer:
    sample = Sample(index=0, tokens=tuple(range(len(steps))), steps=steps, terminals=1)
    return Answer(request=request, submitted=submitted, progress=steps, samples=(sample,))


@pytest.mark.parametrize(("younger", "starved"), [((7, 8, 9, 10), True), ((3, 4, 5, 12), False)])
def test_p2_sees_that_the_request_that_has_become_the_oldest_goes_on_waiting(
    make_request: Any, make_trace: Any, younger: tuple[int, ...], starved: bool
) -> None:
    names = ("oldest", "preempted", "younger")
    steps = (range(1, 7), (2, 11), younger)
    answers = {
        name: answered(make_request(name), submitted, *taken)
        for submitted, (name, taken) in enumerate(zip(names, steps, strict=True))
    }
    recording = Recording(trace=make_trace(make_request()), answers=answers)

    assert [one.slug for one in starvation(recording)] == ["starved"] * starved


def test_p2_sees_tokens_after_an_abort(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(ReferenceExecutor, "abort", lambda _self, _request_id: None)

    trace = make_trace(Arrival(request=make_request(max_tokens=8, ignore_eos=True), abort=2))

    assert signatures(trace, "P2") == {"P2/token-after-abort"}


def test_p3_sees_that_a_refusal_damages_the_executor(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    submit, sample = ReferenceExecutor.submit, ReferenceExecutor._sample

    def damaging(self: Any, request: Request) -> None:
        try:
            submit(self, request)
        except RequestRejected:
            self.damaged = True
            raise

    def damaged(self: Any, *rows: Any) -> list[int | None]:
        tokens = sample(self, *rows)
        return [7 for _ in tokens] if getattr(self, "damaged", False) else tokens

    monkeypatch.setattr(ReferenceExecutor, "submit", damaging)
    monkeypatch.setattr(ReferenceExecutor, "_sample", damaged)

    trace = make_trace(make_request("a"), Arrival(request=make_request("b", temperature=float("nan")), step=30))

    assert "P3/tokens-differ" in signatures(trace, "P3")


def test_p11_sees_that_rows_share_the_options_of_the_first(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    choose = sampler.choose
    monkeypatch.setattr(engine, "choose", lambda rows, params, draws: choose(rows, [params[0]] * len(params), draws))

    trace = make_trace(
        Arrival(request=make_request("a", OTHER, temperature=1.5, seed=1)),
        Arrival(request=make_request("b")),
    )

    assert "P11/tokens-differ" in signatures(trace, "P11")


def test_p12_sees_a_block_that_is_never_given_back(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    release_all = BlockPool.release_all
    monkeypatch.setattr(BlockPool, "release_all", lambda self, blocks: release_all(self, blocks[:-1]))

    assert signatures(make_trace(make_request()), "P12") == {"P12/blocks-lost"}


def test_p12_sees_a_batch_of_one_sample_too_many(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    admit = Scheduler._admit

    def one_more(self: Scheduler, work: Any) -> None:
        settings = self._settings
        self._settings = dataclasses.replace(settings, max_batch=settings.max_batch + 1)
        admit(self, work)
        self._settings = settings

    trace = make_trace(make_request("a"), make_request("b"), max_batch=1)
    assert signatures(trace, "P12") == set()

    monkeypatch.setattr(Scheduler, "_admit", one_more)

    assert signatures(trace, "P12") == {"P12/batch-too-large"}


def test_p13_sees_blocks_that_are_found_by_their_own_tokens_alone(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sequences, "block_hash", lambda _parent, tokens: prefix_cache.block_hash(b"", tokens))
    first, second = (1, 2, 3, 4, 50, 51, 52, 53), (50, 51, 52, 53, 9, 9)

    trace = make_trace(make_request("a", first), Arrival(request=make_request("b", second), step=20))

    assert "P13/tokens-differ" in signatures(trace, "P13")


def test_p13_sees_blocks_that_are_published_before_they_are_computed(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def publish(self: Scheduler, sequence: Sequence) -> None:
        full = len(sequence.tokens) // self._settings.block_size
        for block, key in zip(sequence.blocks, sequence.hash_chain(full, self._settings.block_size), strict=False):
            self._cache.publish(block, key)

    monkeypatch.setattr(Scheduler, "publish", publish)

    trace = make_trace(
        Arrival(request=make_request("a", (*PROMPT, *OTHER)), abort=1), make_request("b", (*PROMPT, *OTHER))
    )

    assert "P13/tokens-differ" in signatures(trace, "P13")


def test_p13_sees_a_cache_that_never_hits(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(Scheduler, "publish", lambda _self, _sequence: None)

    assert signatures(make_trace(make_request("a"), make_request("b")), "P13") == {"P13/never-hits"}


def test_p14_sees_an_adapter_that_is_missing_in_the_cache_key(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sequences, "root_hash", lambda _adapter, salt: prefix_cache.root_hash(None, salt))

    found = signatures(make_trace(make_request(adapter="formal")), "P14")

    assert {"P14/tokens-differ", "P14/shared-across-keys"} <= found


def test_p14_sees_blocks_shared_between_salts(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sequences, "root_hash", lambda adapter, _salt: prefix_cache.root_hash(adapter, None))

    assert signatures(make_trace(make_request(cache_salt="a")), "P14") == {"P14/shared-across-keys"}


def test_p14_gives_a_request_a_salt_where_none_has_any(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sequences, "root_hash", lambda adapter, _salt: prefix_cache.root_hash(adapter, None))

    assert signatures(make_trace(make_request()), "P14") == {"P14/shared-across-keys"}


def test_p14_gives_a_request_an_adapter_where_none_has_any(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(sequences, "root_hash", lambda _adapter, salt: prefix_cache.root_hash(None, salt))

    assert "P14/shared-across-keys" in signatures(make_trace(make_request()), "P14")


def test_p15_sees_positions_that_start_over_in_every_chunk(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    def flatten(pieces: Any, rows: Any, block_size: int) -> Any:
        made = batch.flatten(pieces, rows, block_size)
        if len(pieces) == 1 and len(pieces[0].tokens) == 3:
            made.positions[:] = made.positions - 1
        return made

    monkeypatch.setattr(engine, "flatten", flatten)

    assert "P15/tokens-differ" in signatures(make_trace(make_request(), chunk_size=3), "P15")


def test_p16_sees_a_wrong_slot_in_the_last_block(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    slots_of = batch.slots_of

    def wrong(table: Any, sequence: Any, positions: Any, block_size: int) -> Any:
        slots = slots_of(table, sequence, positions, block_size)
        return np.where((positions % block_size == 0) & (block_size < 14), slots + 1, slots)

    monkeypatch.setattr(batch, "slots_of", wrong)

    assert signatures(make_trace(make_request(max_tokens=8)), "P16") == {"P16/not-the-best-token"}


def test_p19_sees_a_preempted_request_that_forgets_its_tokens(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    preempt = Scheduler._preempt

    def forgetful(self: Scheduler, sequence: Sequence) -> None:
        preempt(self, sequence)
        if sequence.generated > 1:
            sequence.tokens[-1] = sequence.tokens[-2]

    monkeypatch.setattr(Scheduler, "_preempt", forgetful)
    long = tuple(range(5, 115))

    trace = make_trace(
        make_request("a", long, max_tokens=30, ignore_eos=True),
        make_request("b", long[::-1], max_tokens=30, ignore_eos=True),
        chunk_size=64,
    )

    assert "P19/tokens-differ" in signatures(trace, "P19")


def test_p20_sees_drafts_that_are_taken_unverified(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    monkeypatch.setattr(
        Work, "confirms", lambda self, depth, _token: depth < self.drafts and self.sequence.finish_reason is None
    )

    assert "P20/tokens-differ" in signatures(make_trace(make_request(max_tokens=12, ignore_eos=True)), "P20")


def test_p36_sees_a_read_of_a_freed_block(
    monkeypatch: pytest.MonkeyPatch, make_request: Any, make_trace: Any, signatures: Any
) -> None:
    take = Scheduler._take_blocks

    def freed_too_early(self: Scheduler, sequence: Sequence) -> bool:
        taken = take(self, sequence)
        if taken and sequence.group.arrival == 2:
            self._pool._freed(self.running[0].blocks[0])
        return taken

    monkeypatch.setattr(Scheduler, "_take_blocks", freed_too_early)

    trace = make_trace(make_request("a", max_tokens=8, ignore_eos=True), make_request("b", OTHER))

    assert "P36/tokens-differ" in signatures(trace, "P36")


@pytest.mark.parametrize(("free", "running", "cause"), [(3, 0, "P12/blocks-lost"), (8, 0, ""), (3, 1, "")])
def test_a_run_that_is_stuck_since_blocks_are_lost_has_that_as_its_cause(
    make_request: Any, make_trace: Any, free: int, running: int, cause: str
) -> None:
    request = make_request("a")
    stalled = Resources(total_blocks=10, free_blocks=free, cached_blocks=2, running=running, waiting=1)
    answers = {"a": Answer(request=request, submitted=0, samples=(Sample(index=0),))}
    recording = Recording(trace=make_trace(request), answers=answers, stuck=True, stalled=stalled)

    (violation,) = unended(recording)

    assert (violation.signature, violation.cause) == ("P2/stuck", cause)
    assert ("5 of 10 blocks" in violation.message) == bool(cause)
