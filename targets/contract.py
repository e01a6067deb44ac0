"""The executor contract: what a request is, what an executor answers, what a target offers.

Everything here is plain data (frozen, JSON round trip through `targets.codec`) or a small protocol found by
`isinstance`. An engine is adapted by writing one class with `submit`, `step`, `abort` and `close`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

from targets.graph.domain import GraphDomain
from targets.http.api import HttpApi

KnobValue = bool | int | float | str


class FinishReason(enum.StrEnum):
    """Why a request ended. `STOP` covers end-of-sequence, stop token ids and stop strings."""

    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"
    ERROR = "error"


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the next token is chosen; every default is neutral, so `SamplingParams()` is plain sampling.

    The processing order is: logit bias, repetition penalty, presence and frequency penalties, tokens that the JSON
    schema forbids, suppression of end tokens before `min_tokens`, temperature, top-k, top-p, min-p. Ties go to the
    lowest token id.
    """

    temperature: float = 1.0
    """0 is greedy; otherwise the logits are divided by it."""
    top_k: int = 0
    """Keep the k most probable tokens; 0 is off."""
    top_p: float = 1.0
    """Keep the smallest set whose probability reaches it; 1 is off."""
    min_p: float = 0.0
    """Drop tokens below this fraction of the largest probability; 0 is off."""
    repetition_penalty: float = 1.0
    """Divides positive and multiplies negative logits of tokens in prompt or output; 1 is off."""
    presence_penalty: float = 0.0
    """Subtracted once from the logits of tokens already in the output; 0 is off."""
    frequency_penalty: float = 0.0
    """Subtracted once for each occurrence in the output; 0 is off."""
    logit_bias: dict[int, float] = {}
    """Token id to a number added to its raw logit."""
    seed: int | None = None
    """With a seed the draws depend on (request, seed) alone; without one they may differ between runs."""
    stop: tuple[str, ...] = ()
    """Strings that end generation; the earliest match in the text wins and is cut from the text."""
    include_stop: bool = False
    """Keep the matched stop string at the end of the text."""
    stop_token_ids: tuple[int, ...] = ()
    """Token ids that end generation; the token is reported, its text is not."""
    ignore_eos: bool = False
    """Do not end at an end-of-sequence token."""
    min_tokens: int = 0
    """End-of-sequence and stop token ids are never chosen before this many tokens."""
    max_tokens: int = 16
    """Upper bound of generated tokens, for each of the `n` samples."""
    logprobs: int | None = None
    """Report the chosen token's raw log-probability (before all processing) and this many best alternatives."""
    prompt_logprobs: int | None = None
    """The same for every prompt position but the first, in the request's first event."""
    n: int = 1
    """Independent samples of one prompt; sample `i` draws from a stream that depends on (seed, i)."""
    json_schema: dict[str, Any] | None = None
    """Constrained output: each sample is the compact JSON text of a value that fits this schema, or a beginning of one
    where a limit or a stop cuts it. Which schemas there are is documented in `targets.json_schema`. End of sequence is
    chosen only behind a complete text; where nothing else may follow it is, whatever `min_tokens` says."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request: a prompt of token ids and how to continue it."""

    id: str
    prompt: tuple[int, ...]
    sampling: SamplingParams = SamplingParams()
    adapter: str | None = None
    """Name of a weight adapter (LoRA) to run with; model-visible, so part of every cache key."""
    cache_salt: str | None = None
    """Requests with different salts never share cached blocks."""

    def with_sampling(self, **changes: Any) -> Request:
        """The same request with these sampling parameters changed."""
        return msgspec.structs.replace(self, sampling=msgspec.structs.replace(self.sampling, **changes))


class TokenLogprobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log-probabilities (natural logarithm, of the raw logits) at one position."""

    logprob: float
    top: tuple[tuple[int, float], ...] = ()
    """The best (token id, logprob) pairs, best first, ties by lowest id."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Token accounting of one sample; `cached_tokens` is the part of the prompt not computed again."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One event of a request. Each of its `n` samples ends with exactly one event that has a finish reason."""

    request_id: str
    index: int = 0
    """Which of the `n` samples this event belongs to."""
    token_id: int | None = None
    """The token chosen in this step; None for an event without one (abort, error)."""
    text: str = ""
    """Text that became final with this event; concatenated over the events it is the whole answer."""
    logprobs: TokenLogprobs | None = None
    prompt_logprobs: tuple[TokenLogprobs | None, ...] | None = None
    """In the first event of sample 0 when asked for; entry 0 is None, its length is the prompt's."""
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    """The stop string or token id that ended it, when one did."""
    usage: Usage | None = None
    """Set on the event that carries the finish reason."""
    error: str = ""
    """What went wrong, when the finish reason is `error`."""


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Block and queue accounting. At idle `free + cached == total` and nothing waits or runs."""

    total_blocks: int
    free_blocks: int
    cached_blocks: int
    """Blocks held by the prefix cache alone, which a new request may evict."""
    running: int
    waiting: int
    max_running: int | None = None
    """Most that may run at a time; None where the executor promises nothing."""

    @property
    def crowded(self) -> bool:
        """Whether more run than may."""
        return self.max_running is not None and self.running > self.max_running


class RequestRejected(Exception):  # noqa: N818 - the design's word; it is an answer, not a defect
    """The executor refused a request that it documents as invalid; nothing was admitted."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(f"{field} = {value!r} is refused: {allowed}")


@runtime_checkable
class Executor(Protocol):
    """A running engine, in the add-request / step / abort shape that continuous batching engines share."""

    def submit(self, request: Request) -> None:
        """Queue a request. Raises `RequestRejected` if it lies outside the documented domain or its id is in use."""

    def step(self) -> Sequence[Output]:
        """Run one scheduler iteration and return its events; empty only when nothing is queued or running.

        A step that only computed part of a long prompt returns one event without token and without finish reason.
        """

    def abort(self, request_id: str) -> None:
        """End a request; idempotent, unknown ids are ignored. Its abort events come with the next `step`."""

    def close(self) -> None:
        """Release everything; the executor is not used afterwards."""


@runtime_checkable
class ScoresTokens(Protocol):
    """Can score a given sequence without sampling."""

    def logits(self, token_ids: Sequence[int]) -> npt.NDArray[np.floating[Any]]:
        """Teacher-forced full recompute without any cache: float array `[len(token_ids), vocab_size]`."""


@runtime_checkable
class ReportsResources(Protocol):
    """Can account for its blocks and queues."""

    def resources(self) -> Resources:
        """The state right now, between two steps."""


@runtime_checkable
class Detokenizes(Protocol):
    """Can turn text into token ids and back."""

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, without special tokens. Raises `RequestRejected` for text it cannot encode."""

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The text of a whole sequence at once; special tokens have no text, undecodable bytes become U+FFFD."""


class FaultPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One pass of a place in the code that can be made to fail."""

    name: str
    """As the target announces it, such as `allocation`."""
    occurrence: int = 1
    """Which pass, counted from 1."""

    def __post_init__(self) -> None:
        if self.occurrence < 1:
            raise ValueError(f"occurrence {self.occurrence} of fault point {self.name!r} must be at least 1")


@runtime_checkable
class InjectsFaults(Protocol):
    """Can let one of its layers fail on demand, as memory, devices, tools and stores do now and then."""

    def fault_points(self) -> Mapping[str, int]:
        """The name of every point at which a fault can be injected, and how often it was passed since opening."""

    def inject(self, fault: FaultPoint | None) -> None:
        """Let that pass fail, counted from now on, once; a fault that has not struck yet is withdrawn.

        A fault belongs to one request (or run). That one may end with a typed error; nothing else may change.
        """


@runtime_checkable
class SavesState(Protocol):
    """Can save what it is doing, restore it, and continue a running request a second time."""

    def save(self) -> object:
        """Everything that steps change, as it is between two steps; nothing that happens later changes it."""

    def restore(self, state: object) -> None:
        """Go back to a saved state of this executor; a state can be restored more than once."""

    def fork(self, request_id: str, fork_id: str, seed: int | None = None) -> None:
        """Continue a request that waits or runs a second time, from here on: its tokens so far belong to the fork too.

        Its later draws are those of `seed`, or those of the request itself; its events are those of later tokens.
        Raises `RequestRejected` for a request that is not there, and for a fork's id that is in use.
        """


class Knob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A setting of an executor that must not change any result."""

    name: str
    default: KnobValue
    values: tuple[KnobValue, ...]
    """Settings worth trying, the default among them."""
    description: str = ""
    costly: bool = False
    """Takes seconds to apply (compilation, say), so campaigns leave it at its default."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The numbers of an executor at which its code takes another branch; strategies aim at them."""

    vocab_size: int
    context_length: int
    """Prompt and completion together never exceed it."""
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None
    special_token_ids: tuple[int, ...] = ()
    """Ids without text (beginning, end, padding)."""
    block_size: int | None = None
    chunk_size: int | None = None
    window: int | None = None
    """Sliding attention window in tokens, if the model has one."""
    max_batch: int | None = None
    total_blocks: int | None = None
    max_logprobs: int = 0
    max_samples: int = 1
    """Largest `n`."""
    adapters: tuple[str, ...] = ()


class TargetKind(enum.StrEnum):
    """What is tested."""

    EXECUTOR = "executor"
    HTTP = "http"
    GRAPH = "graph"


@dataclass(frozen=True)
class Target:
    """How to get an executor: load a model once, open executors on it cheaply.

    `load(device, dtype)` returns the model; `open(model, **knobs)` returns a fresh executor with empty caches.
    """

    name: str
    summary: str
    load: Callable[[str, str], Any]
    open: Callable[..., Any]
    """Returns an `Executor`; for a target of kind `graph` a `targets.graph.contract.RunsGraphs`, of kind `http` a
    `targets.http.server.Server`."""
    limits: Limits
    kind: TargetKind = TargetKind.EXECUTOR
    devices: Callable[[], tuple[str, ...]] = field(default=lambda: ("cpu",))
    dtypes: tuple[str, ...] = ("float32",)
    knobs: tuple[Knob, ...] = ()
    oracle: Callable[[], Callable[[Sequence[int], str | None], npt.NDArray[np.float64]]] | None = None
    """Makes an independent implementation of the model: (token ids, adapter) to logits `[len, vocab]`, float64."""
    domain: Domain | None = None
    """The documented domain; None means `targets.domain.DEFAULT_DOMAIN`."""
    graphs: GraphDomain | None = None
    """The graph configs it documents as valid, for a target of kind `graph`."""
    api: HttpApi | None = None
    """How to speak to it, for a target of kind `http`."""
    modules: tuple[str, ...] = ()
    """Import names (packages include what is below them) whose branches guide the fuzzer."""
    requires: Mapping[str, str] = field(default_factory=dict)
    """Module name to the command that installs it."""


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The closed interval a number must lie in (open at the minimum if `above`); None is unbounded."""

    minimum: float | None = None
    maximum: float | None = None
    above: bool = False


class Domain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which requests a target documents as valid; `targets.domain` judges requests by it."""

    bounds: dict[str, Bound]
    """Field of `SamplingParams` to its interval. Integer fields take integers only, float fields finite numbers."""
    supported: tuple[str, ...]
    """Fields of `SamplingParams` that may differ from their neutral default."""
    max_stop: int = 16
    """Stop strings in one request."""
    max_logit_bias: int = 300
    """Entries of a logit bias."""
    empty_prompt: bool = False
    """Whether a prompt without tokens is valid."""
    cache_salt: bool = True
    """Whether requests may carry a salt; an executor that cannot keep salts apart must refuse them."""
    logprobs_scale: str = "raw"
    """`raw`: log-softmax of the model's logits; `processed`: of the distribution sampled from."""
