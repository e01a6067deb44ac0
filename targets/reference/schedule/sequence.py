"""The state of one sample of one request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from targets.contract import FinishReason, Request, SamplingParams, TokenLogprobs, Usage
from targets.reference.memory.prefix_cache import block_hash, root_hash
from targets.reference.sampling.grammar import Constraint, grammar_of
from targets.reference.sampling.penalties import History
from targets.reference.text.detokenizer import Detokenizer
from targets.reference.text.stop import StopScanner


@dataclass(eq=False, slots=True)
class Group:
    """What the samples of one request share."""

    request: Request
    arrival: int
    seed: int
    """The request's seed, or the engine's choice."""
    adapter: int
    """Index of the adapter in the model; 0 is none."""
    sequences: list[Sequence] = field(default_factory=list)
    cached_tokens: int | None = None
    """Prompt tokens taken from the prefix cache when the first sample was admitted."""

    @property
    def finished(self) -> bool:
        """Whether every sample has ended."""
        return all(sequence.finish_reason is not None for sequence in self.sequences)


@dataclass(eq=False, slots=True)
class Sequence:
    """One sample: its tokens, how many of them are computed, and the blocks that hold them."""

    group: Group
    index: int
    tokens: list[int]
    """Prompt, then generated tokens."""
    detokenizer: Detokenizer
    scanner: StopScanner
    history: History | None
    """Kept only for requests with penalties."""
    constraint: Constraint | None
    """Where the answer stands in its grammar, for requests with a JSON schema."""
    prompt_logprobs: list[TokenLogprobs | None] | None
    """By prompt position while they are being collected; None when not wanted or already delivered."""
    computed: int = 0
    """Tokens whose keys and values are stored."""
    blocks: list[int] = field(default_factory=list)
    published: int = 0
    """Blocks from the first that were offered to the prefix cache."""
    hashes: list[bytes] = field(default_factory=list)
    """Hash chain of the full blocks, as far as it was needed."""
    finish_reason: FinishReason | None = None

    @property
    def order(self) -> tuple[int, int]:
        """First come, first served; samples of one request in order."""
        return self.group.arrival, self.index

    @property
    def sampling(self) -> SamplingParams:
        """Parameters of the request."""
        return self.group.request.sampling

    @property
    def prompt_length(self) -> int:
        """Tokens of the prompt."""
        return len(self.group.request.prompt)

    @property
    def generated(self) -> int:
        """Tokens generated so far."""
        return len(self.tokens) - self.prompt_length

    @property
    def usage(self) -> Usage:
        """Token accounting up to now."""
        return Usage(
            prompt_tokens=self.prompt_length,
            completion_tokens=self.generated,
            cached_tokens=self.group.cached_tokens or 0,
        )

    def append(self, token: int) -> None:
        """Take over a generated token."""
        self.tokens.append(token)
        if self.history is not None:
            self.history.add(token)
        if self.constraint is not None:
            self.constraint.push(token)

    def rest_of_text(self) -> str:
        """Text that was held back, once no token follows. It may still complete a stop string."""
        text = self.scanner.push(self.detokenizer.flush())
        return text + self.scanner.flush()

    def hash_chain(self, blocks: int, block_size: int) -> list[bytes]:
        """Hashes of the first full blocks, each covering everything before its end."""
        request = self.group.request
        while len(self.hashes) < blocks:
            start = len(self.hashes) * block_size
            parent = self.hashes[-1] if self.hashes else root_hash(request.adapter, request.cache_salt)
            self.hashes.append(block_hash(parent, self.tokens[start : start + block_size]))
        return self.hashes[:blocks]


def sequences_of(group: Group, vocab_size: int, keep_history: bool) -> Iterator[Sequence]:
    """The samples of a new request."""
    request = group.request
    sampling = request.sampling
    grammar = None if sampling.json_schema is None else grammar_of(sampling.json_schema)
    for index in range(sampling.n):
        wants_prompt = sampling.prompt_logprobs is not None and index == 0
        yield Sequence(
            group=group,
            index=index,
            tokens=list(request.prompt),
            detokenizer=Detokenizer(),
            scanner=StopScanner(tuple(sampling.stop), sampling.include_stop),
            history=History(tuple(request.prompt), vocab_size) if keep_history else None,
            constraint=None if grammar is None else Constraint(grammar),
            prompt_logprobs=[None] * len(request.prompt) if wants_prompt else None,
        )
