"""Which rows of logits a step needs, and what the rows of a prompt are for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from targets.reference.sampling.logprobs import token_logprobs
from targets.reference.schedule.scheduler import Work

Floats = npt.NDArray[np.float64]


def wanted_rows(work: list[Work]) -> tuple[list[int], list[int]]:
    """Indices into the step's concatenated tokens whose logits are needed.

    The second list tells, for each item, at which place in the first its first token is or would be.
    """
    rows: list[int] = []
    offsets: list[int] = []
    start = 0
    for item in work:
        skipped = len(item.tokens)
        if item.sequence.prompt_logprobs is not None:
            skipped = 0
        elif item.completes:
            skipped = item.known - 1
        offsets.append(len(rows) - skipped)
        rows += range(start + skipped, start + len(item.tokens))
        start += len(item.tokens)
    return rows, offsets


def collect_prompt_logprobs(item: Work, logits: Floats) -> None:
    """Score the prompt tokens that follow those just computed. `logits`: [known, vocab]."""
    sequence = item.sequence
    wanted = sequence.sampling.prompt_logprobs
    assert sequence.prompt_logprobs is not None and wanted is not None
    for position, row in enumerate(logits, start=sequence.computed + 1):
        if position < sequence.prompt_length:
            sequence.prompt_logprobs[position] = token_logprobs(row, sequence.tokens[position], wanted)
