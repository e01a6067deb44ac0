"""Rows of a padded batch: where each ends, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from targets.batch_adapter import Completion
from targets.contract import FinishReason, Request, SamplingParams
from targets.hugging_face import tokenizer as text
from targets.hugging_face.generate_options import end_token_ids
from targets.hugging_face.scoring import token_logprobs

UNDECODABLE = "\N{REPLACEMENT CHARACTER}"


def left_padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask `[rows, longest prompt]`; the prompts end in the last column."""
    width = max(len(prompt) for prompt in prompts)
    ids = [[text.PAD_ID] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


@dataclass
class RowEnds:
    """A stopping criterion for each row: its own token limit, and the stop strings.

    `generate` fills rows that have ended with padding; `stop_lengths` remembers where a stop string ended one.
    """

    prompt_width: int
    max_tokens: Sequence[int]
    stop: Sequence[str]
    library: Callable[..., torch.Tensor] | None
    """The library's own stop strings; None without any."""
    stop_lengths: dict[int, int] = field(default_factory=dict)

    def __call__(self, input_ids: torch.Tensor, scores: object, **options: object) -> torch.Tensor:
        """Boolean tensor `[rows]`: which rows end here."""
        length = input_ids.shape[1] - self.prompt_width
        done = torch.tensor([length >= limit for limit in self.max_tokens], device=input_ids.device)
        if self.library is None:
            return done
        generated = input_ids[:, self.prompt_width :].tolist()
        unseen = torch.tensor([unseen_stop(row, self.stop) for row in generated], device=input_ids.device)
        stopped = self.library(input_ids, scores, **options) | unseen
        for row in stopped.nonzero().flatten().tolist():
            self.stop_lengths.setdefault(row, length)
        return done | stopped


def unseen_stop(token_ids: Sequence[int], stop: Sequence[str]) -> bool:
    """Whether a stop string ends the row that the library cannot see by design.

    It compares with the spelling of tokens: special tokens have one, though they have no text, and bytes that do not
    decode have none, though their text is U+FFFD.
    """
    special = any(not text.TOKEN_BYTES[token] for token in token_ids)
    candidates = [entry for entry in stop if special or UNDECODABLE in entry]
    return bool(candidates) and any(entry in text.stable_text(token_ids) for entry in candidates)


def completion(
    tokenizer: Any,
    request: Request,
    index: int,
    row: list[int],
    stop_length: int | None,
    logits: list[torch.Tensor],
) -> Completion:
    """What one row of the result says: the tokens up to its end, the text before its stop string.

    `row` holds the generated tokens and padding behind them; `logits` one tensor `[vocab_size]` a step.
    """
    sampling = request.sampling
    tokens = row[: min(stop_length or len(row), sampling.max_tokens)]
    ends = end_token_ids(sampling)
    ended = next((position for position, token in enumerate(tokens) if token in ends), None)
    if ended is not None:
        tokens = tokens[: ended + 1]
    visible = tokens[:-1] if ended is not None else tokens
    content, matched = text.decode(tokenizer, visible), None
    stopped = ended is not None or stop_length == len(tokens)
    # An incomplete character at the very end becomes U+FFFD only there, when nothing can follow any more.
    if stop_length == len(tokens) or any(UNDECODABLE in entry for entry in sampling.stop):
        content, matched = cut_at_stop(content, sampling)
    wanted = sampling.logprobs
    return Completion(
        request_id=request.id,
        index=index,
        token_ids=tuple(tokens),
        text=content,
        finish_reason=FinishReason.STOP if stopped or matched is not None else FinishReason.LENGTH,
        stop_reason=tokens[-1] if ended is not None else matched,
        logprobs=()
        if wanted is None
        else tuple(token_logprobs(step, token, wanted) for step, token in zip(logits, tokens, strict=False)),
    )


def cut_at_stop(content: str, sampling: SamplingParams) -> tuple[str, str | None]:
    """The text before the earliest stop string (the longest of those that start there), and that stop string."""
    matches = [(content.find(stop), -len(stop), stop) for stop in sampling.stop if stop in content]
    if not matches:
        return content, None
    start, _, stop = min(matches)
    return content[: start + (len(stop) if sampling.include_stop else 0)], stop
