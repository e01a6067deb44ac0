"""What was seen of one run of a trace: plain data, whatever the executor did."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from targets.contract import FinishReason, Request, Resources, SamplingParams, TokenLogprobs, Usage
from targets.domain import Breach
from targets.trace import Trace


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An exception that the contract does not allow."""

    call: str
    """`open`, `submit`, `step`, `abort`, `resources` or `close`."""
    error_type: str
    message: str
    frame: str
    """Innermost frame of the target, such as `blocks.py:allocate`."""
    stack: str
    request_id: str = ""
    step: int = 0

    @property
    def slug(self) -> str:
        """`raised-IndexError-blocks.py:allocate`: equal for two occurrences of one defect, in any property."""
        return f"raised-{self.error_type}-{self.frame}"


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """What a `RequestRejected` said."""

    field: str
    value: str
    """The value as Python text, cut to a line."""
    allowed: str


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `n` continuations of a request."""

    index: int
    tokens: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    """Scheduler step of each token."""
    deltas: tuple[str, ...] = ()
    """Text of every event of the sample, empty ones included."""
    logprobs: tuple[TokenLogprobs | None, ...] = ()
    """As long as `tokens`."""
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    usage: Usage | None = None
    error: str = ""
    terminals: int = 0
    """Events with a finish reason; the contract asks for exactly one."""
    late: int = 0
    """Events after the first one with a finish reason."""

    @property
    def text(self) -> str:
        """The whole answer: all deltas joined."""
        return "".join(self.deltas)

    @property
    def complete(self) -> bool:
        """Whether it ended by itself: `stop` or `length`."""
        return self.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen of one request."""

    request: Request
    """As submitted, with its defect in place."""
    breaches: tuple[Breach, ...] = ()
    """How the request leaves the documented domain; empty for a valid one."""
    submitted: int | None = None
    """Scheduler step before which it was submitted; None if the run ended earlier."""
    aborted: int | None = None
    """Scheduler step before which it was aborted after its submission."""
    rejection: Rejection | None = None
    failure: Failure | None = None
    """The exception that `submit` raised, if any but `RequestRejected`."""
    prompt_logprobs: tuple[TokenLogprobs | None, ...] | None = None
    progress: tuple[int, ...] = ()
    """Steps that returned an event of this request, each once, in order."""
    samples: tuple[Sample, ...] = ()
    """Ordered by index; at least `n` of them once the request was accepted."""

    @property
    def accepted(self) -> bool:
        """Whether `submit` returned."""
        return self.submitted is not None and self.rejection is None and self.failure is None

    @property
    def deterministic(self) -> bool:
        """Whether the contract fixes the tokens: greedy, or seeded."""
        sampling: object = self.request.sampling
        # A malformed request may carry anything here.
        return isinstance(sampling, SamplingParams) and (sampling.temperature == 0 or sampling.seed is not None)

    @property
    def finished(self) -> bool:
        """Whether every sample has had its terminal event."""
        return all(sample.terminals for sample in self.samples)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a literal trace on a fresh executor."""

    trace: Trace
    """As it was run; its knobs are complete."""
    answers: dict[str, Answer]
    """By request id, in the order of the trace."""
    steps: int = 0
    failure: Failure | None = None
    """What ended the run early, if an exception did."""
    stuck: bool = False
    """A step returned nothing although a request was unfinished."""
    exhausted: bool = False
    """The step bound was reached."""
    bound: int = 0
    strays: tuple[str, ...] = ()
    """Events of unknown requests or samples, as text."""
    opened: Resources | None = None
    """Accounting before the first request."""
    closed: Resources | None = None
    """Accounting at idle after the last request; None if it never became idle."""
    stalled: Resources | None = None
    """Accounting when it was stuck; None if it was not."""
    overdrawn: Resources | None = None
    """The first accounting between two steps that cannot be: negative, more than the total, or too many that run."""
    watched: str = ""
    """Code of the property for which it was run; empty for the case itself."""

    @property
    def sound(self) -> bool:
        """Whether the run went through: no exception, not stuck, within its bound."""
        return self.failure is None and not self.stuck and not self.exhausted

    def valid(self) -> Iterator[Answer]:
        """Answers to requests inside the documented domain that were accepted."""
        return (answer for answer in self.answers.values() if answer.accepted and not answer.breaches)
