"""Forks of running requests: the same blocks, but for the one that both would write to."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from msgspec.structs import replace

from targets.reference.memory.blocks import BlockPool
from targets.reference.schedule.scheduler import Scheduler
from targets.reference.schedule.sequence import Group, Sequence
from targets.reference.settings import EngineSettings


def forked_group(group: Group, fork_id: str, arrival: int, seed: int | None) -> Group:
    """The request once more, its samples as they are now and not placed anywhere yet."""
    twin = deepcopy(group)
    twin.request = replace(group.request, id=fork_id)
    twin.arrival = arrival
    if seed is not None:
        twin.seed = seed
        twin.request = replace(twin.request, sampling=replace(group.request.sampling, seed=seed))
    return twin


def place(
    sequence: Sequence,
    twin: Sequence,
    scheduler: Scheduler,
    pool: BlockPool,
    settings: EngineSettings,
    copy_block: Callable[[int, int], None],
) -> None:
    """Let the twin run with its sequence's blocks, or queue it to be computed again where there is no room for that.

    Full blocks are shared. What stands in the block after them is copied at once, since both write there next.
    """
    full = sequence.computed // settings.block_size
    partial = settings.blocks_for(sequence.computed) - full
    crowded = bool(scheduler.waiting) or len(scheduler.running) >= settings.max_batch
    if crowded or sequence not in scheduler.running or pool.available < partial:
        twin.blocks = []
        twin.computed = twin.published = 0
        scheduler.add(twin)
        return
    twin.blocks = sequence.blocks[:full]
    for block in twin.blocks:
        pool.retain(block)
    for block in sequence.blocks[full : full + partial]:
        twin.blocks.append(pool.allocate())
        copy_block(block, twin.blocks[-1])
    scheduler.running.append(twin)
