from __future__ import annotations

from targets.contract import FinishReason, Request, SamplingParams
from targets.reference.memory.blocks import BlockPool
from targets.reference.memory.prefix_cache import PrefixCache
from targets.reference.schedule.scheduler import Scheduler, Work
from targets.reference.schedule.sequence import Group, Sequence, sequences_of
from targets.reference.settings import EngineSettings

VOCAB = 50


class Engine:
    """A scheduler whose model always answers with the same token."""

    def __init__(self, settings: EngineSettings) -> None:
        self.cache = PrefixCache()
        self.pool = BlockPool(settings.total_blocks, self.cache)
        self.scheduler = Scheduler(settings, self.pool, self.cache)
        self.arrivals = 0

    def add(self, prompt: list[int], max_tokens: int = 16, samples: int = 1) -> list[Sequence]:
        self.arrivals += 1
        sampling = SamplingParams(max_tokens=max_tokens, n=samples)
        group = Group(Request(id=str(self.arrivals), prompt=tuple(prompt), sampling=sampling), self.arrivals, 0, 0)
        group.sequences.extend(sequences_of(group, VOCAB, keep_history=False))
        for sequence in group.sequences:
            self.scheduler.add(sequence)
        return group.sequences

    def step(self) -> list[Work]:
        work = self.scheduler.schedule()
        for item in work:
            completes = item.completes
            item.sequence.computed += item.known
            if completes:
                item.sequence.append(9)
            self.scheduler.publish(item.sequence)
        return work

    def finish(self, sequence: Sequence) -> None:
        sequence.finish_reason = FinishReason.LENGTH
        self.scheduler.remove(sequence)


def counts(work: list[Work]) -> list[tuple[str, int]]:
    return [(item.sequence.group.request.id, len(item.tokens)) for item in work]


def test_a_long_prompt_is_computed_in_chunks() -> None:
    engine = Engine(EngineSettings(chunk_size=4))
    engine.add(list(range(10)))
    assert [counts(engine.step()) for _ in range(4)] == [[("1", 4)], [("1", 4)], [("1", 2)], [("1", 1)]]


def test_decoding_goes_on_beside_a_prompt_and_all_share_the_chunk() -> None:
    engine = Engine(EngineSettings(chunk_size=7))
    engine.add([1, 2])
    engine.step()
    engine.add([3] * 5)
    engine.add([4] * 5)
    assert counts(engine.step()) == [("1", 1), ("2", 5), ("3", 1)]
    assert counts(engine.step()) == [("1", 1), ("2", 1), ("3", 4)]


def test_only_as_many_run_as_the_batch_allows_first_come_first_served() -> None:
    engine = Engine(EngineSettings(max_batch=2))
    for token in (1, 2, 3):
        engine.add([token] * 3)
    assert [request for request, _ in counts(engine.step())] == ["1", "2"]
    engine.finish(engine.scheduler.running[0])
    assert [request for request, _ in counts(engine.step())] == ["2", "3"]


def test_a_prompt_that_exactly_fits_the_free_blocks_is_admitted() -> None:
    engine = Engine(EngineSettings(total_blocks=4, prefix_cache=False))
    engine.add([1] * 8)
    engine.add([2] * 8)
    assert counts(engine.step()) == [("1", 8), ("2", 8)]
    assert engine.pool.free == 0


def test_the_youngest_is_preempted_and_computed_again_with_what_it_generated() -> None:
    engine = Engine(EngineSettings(total_blocks=4, prefix_cache=False))
    engine.add([1] * 8)
    (young,) = engine.add([2] * 8)
    engine.step()
    assert counts(engine.step()) == [("1", 1)]
    assert engine.scheduler.waiting == [young]
    assert (young.computed, young.blocks) == (0, [])
    engine.finish(engine.scheduler.running[0])
    (work,) = engine.step()
    assert work.tokens == [2] * 8 + [9]


def test_the_oldest_advances_in_every_step_under_pressure() -> None:
    engine = Engine(EngineSettings(total_blocks=5, chunk_size=3))
    (oldest,) = engine.add([1] * 4, max_tokens=12)
    for token in range(2, 6):
        engine.add([token] * 6)
    for _ in range(13):
        before = oldest.computed
        engine.step()
        assert oldest.computed > before


def test_a_preempted_sequence_returns_before_those_that_came_later() -> None:
    engine = Engine(EngineSettings(total_blocks=4, prefix_cache=False))
    for token in (1, 2, 3):
        engine.add([token] * 8)
    engine.step()
    engine.step()
    assert [sequence.group.request.id for sequence in engine.scheduler.waiting] == ["2", "3"]


def test_a_repeated_prompt_reuses_all_full_blocks_but_computes_its_last_token() -> None:
    engine = Engine(EngineSettings())
    (first,) = engine.add(list(range(8)))
    engine.step()
    engine.finish(first)
    (again,) = engine.add(list(range(8)))
    assert counts(engine.step()) == [("2", 4)]
    assert again.group.cached_tokens == 4


def test_blocks_are_found_only_after_they_were_computed() -> None:
    engine = Engine(EngineSettings(chunk_size=4))
    engine.add(list(range(16)))
    engine.scheduler.schedule()
    engine.scheduler.publish(engine.scheduler.running[0])
    (twin,) = engine.add(list(range(16)))
    assert engine.cache.lookup(twin.hash_chain(3, 4)) == []


def test_samples_share_the_blocks_of_their_prompt_without_a_prefix_cache() -> None:
    engine = Engine(EngineSettings(prefix_cache=False))
    first, second, third = engine.add(list(range(10)), samples=3)
    engine.step()
    assert engine.scheduler.waiting == [second, third]
    engine.step()
    assert first.blocks[:2] == second.blocks[:2] == third.blocks[:2]
    assert engine.pool.total - engine.pool.free == len({*first.blocks, *second.blocks, *third.blocks})
    engine.finish(first)
    engine.finish(second)
    assert engine.pool.total - engine.pool.free == len(third.blocks)


def test_drafts_stay_within_the_length_limit() -> None:
    engine = Engine(EngineSettings(speculative=4))
    engine.add([1, 2, 3], max_tokens=3)
    engine.step()
    (work,) = engine.step()
    assert work.drafts == 1


def test_drafts_never_preempt_anybody() -> None:
    engine = Engine(EngineSettings(speculative=4, total_blocks=2, prefix_cache=False))
    engine.add([1, 2])
    engine.add([3, 4])
    engine.step()
    assert [(item.sequence.group.request.id, item.drafts) for item in engine.step()] == [("1", 1), ("2", 1)]


def test_removing_a_sequence_in_any_state_gives_every_block_back() -> None:
    engine = Engine(EngineSettings(chunk_size=4, max_batch=2, prefix_cache=False))
    prefilling, running, queued = (engine.add([token] * 6)[0] for token in (1, 2, 3))
    engine.step()
    for sequence in (queued, prefilling, running):
        engine.scheduler.remove(sequence)
    assert engine.pool.free == engine.pool.total
    assert not engine.scheduler.waiting
    assert not engine.scheduler.running
