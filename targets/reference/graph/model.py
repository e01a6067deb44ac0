"""Model nodes answered by an executor instead of a script."""

from __future__ import annotations

import itertools
from typing import Any

from targets.contract import Detokenizes, Executor, FinishReason, Request, SamplingParams
from targets.reference.graph.journey import Model


def executor_model(executor: Executor, max_tokens: int = 8, longest_prompt: int = 64) -> Model:
    """A model that continues the end of a prompt greedily on this executor.

    Raises `TypeError` if the executor cannot tokenize, and `RuntimeError` from the model if a request ends in error.
    """
    tokenizer: Any = executor
    if not isinstance(executor, Detokenizes):
        raise TypeError(f"{type(executor).__name__} has no tokenize and detokenize; a graph's models speak text")
    numbers = itertools.count()

    def reply(prompt: str) -> str:
        name = f"model-{next(numbers)}"
        tokens = tokenizer.tokenize(prompt)[-longest_prompt:] or tokenizer.tokenize(" ")
        sampling = SamplingParams(temperature=0.0, max_tokens=max_tokens)
        executor.submit(Request(id=name, prompt=tuple(tokens), sampling=sampling))
        text = ""
        while events := executor.step():
            for event in events:
                text += event.text if event.request_id == name else ""
                if event.finish_reason is FinishReason.ERROR:
                    raise RuntimeError(f"the executor failed: {event.error}")
        return text

    return reply
