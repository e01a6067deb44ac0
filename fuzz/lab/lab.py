"""The lab of an executor target: a loaded model, and everything that was recorded about the case in hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from fuzz.lab import calibration
from fuzz.lab.driver import Driver
from fuzz.lab.failures import belongs_to_containment, failure_of
from fuzz.lab.recording import Answer, Failure, Recording
from fuzz.lab.resolve import resolved
from fuzz.lab.sampling import Row, log_softmax, processed
from fuzz.lab.tolerance import Tolerances
from targets.contract import (
    Detokenizes,
    Domain,
    Executor,
    FaultPoint,
    InjectsFaults,
    KnobValue,
    ReportsResources,
    Request,
    ScoresTokens,
    Target,
)
from targets.domain import DEFAULT_DOMAIN, Breach, breaches
from targets.errors import UsageError
from targets.trace import Arrival, Trace

ORACLE_TOKENS = 64
"""Longest sequence that an oracle is asked for; it recomputes everything in Python."""


class Tally:
    """What the properties have looked at in the case in hand."""

    def __init__(self) -> None:
        self.compared = 0
        """Pairs of runs compared."""
        self.excused = 0
        """Pairs whose comparison ended at a near-tie."""
        self.looked = 0
        """Things a property had to say something about; a property that adds none was vacuous."""


class Lab:
    """Runs traces on fresh executors of one target, device and dtype. Not thread-safe; one case at a time.

    Raises whatever `target.load` raises; what executors raise is recorded instead.
    """

    def __init__(
        self, target: Target, device: str = "cpu", dtype: str = "float32", measured: dict[str, float] | None = None
    ) -> None:
        self.target = target
        self.device = device
        self.dtype = dtype
        self.limits = target.limits
        self.domain: Domain = target.domain or DEFAULT_DOMAIN
        self.defaults: dict[str, KnobValue] = {knob.name: knob.default for knob in target.knobs}
        self.model = target.load(device, dtype)
        self.bench: Any = self._open({})
        """An executor that runs no requests; it scores and converts tokens."""
        self.scores_tokens = isinstance(self.bench, ScoresTokens)
        self.detokenizes = isinstance(self.bench, Detokenizes)
        self._reports = isinstance(self.bench, ReportsResources)
        self.tolerances = Tolerances(
            dtype=dtype,
            scale=calibration.scale(self),
            measure=lambda kind: calibration.measure(self, kind),
            measured=dict(measured or {}),
        )
        self._peer: Lab | None = None
        self._oracle: Callable[[Sequence[int], str | None], Row] | None = None
        self.begin(Trace(arrivals=()))

    @property
    def exact(self) -> bool:
        """Whether equal work on equal shapes gives equal bits here."""
        return self.device == "cpu"

    @property
    def peer(self) -> Lab:
        """The lab of the same target in float32 on the CPU, loaded on first use."""
        if self._peer is None:
            self._peer = Lab(self.target, "cpu", "float32")
        return self._peer

    def independent_scores(self, token_ids: tuple[int, ...], adapter: str | None) -> Row | None:
        """Logits `[len, vocab]` in float64 from elsewhere: the target's oracle, or else its peer.

        None if there is neither, or for sequences of more than `ORACLE_TOKENS`, which an oracle takes long for.
        """
        if self.target.oracle is not None:
            if self._oracle is None:
                self._oracle = self.target.oracle()
            return self._oracle(token_ids, adapter) if len(token_ids) <= ORACLE_TOKENS else None
        if adapter is not None or (self.device, self.dtype) == ("cpu", "float32"):
            return None
        return self.peer.scores(token_ids)

    def begin(self, case: Trace) -> Trace:
        """Take up a case: forget the last one, fill in what is derived from output. Returns the literal case."""
        self._recordings: dict[bytes, Recording] = {}
        self._passed: dict[bytes, dict[str, int]] = {}
        self._scores: dict[tuple[int, ...], Row | None] = {}
        self._breaches: dict[int, tuple[Request, tuple[Breach, ...]]] = {}
        self.failures: list[Failure] = []
        """What scoring or converting tokens raised."""
        self.tally = Tally()
        self.watched = ""
        self.case = Trace(arrivals=(), knobs=self.complete(case.knobs))
        self.case = resolved(self, msgspec.structs.replace(case, knobs=self.case.knobs))
        self._recordings = {}
        self._base: Recording | None = None
        return self.case

    @property
    def base(self) -> Recording:
        """The case in hand, run as it is."""
        if self._base is None:
            self._base = self.record(self.case)
        return self._base

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Every run that was made for the case in hand."""
        return tuple(self._recordings.values())

    def record(self, trace: Trace, **changes: KnobValue) -> Recording:
        """The trace on a fresh executor with its knobs, changed. The same run is made once a case."""
        literal = msgspec.structs.replace(trace, knobs=self.complete(trace.knobs | changes))
        key = msgspec.msgpack.encode(literal)
        if key not in self._recordings:
            self._recordings[key] = self.run(literal)
        return self._recordings[key]

    def repeat(self, recording: Recording) -> Recording:
        """The same run once more, on another fresh executor."""
        key = b"again" + msgspec.msgpack.encode(recording.trace)
        if key not in self._recordings:
            self._recordings[key] = self.run(recording.trace)
        return self._recordings[key]

    def passed(self, recording: Recording) -> dict[str, int]:
        """How often a run made for the case in hand passed each point at which a fault can be injected."""
        return self._passed.get(msgspec.msgpack.encode(recording.trace), {})

    def run(
        self, trace: Trace, fault: FaultPoint | None = None, around: Callable[[Any], Any] | None = None
    ) -> Recording:
        """The trace on a fresh executor, not remembered; with a fault, that pass of its point fails.

        `around` puts something between the run and the executor that intervenes.
        Raises `UsageError` for a setting that the target refuses.
        """
        try:
            executor = self._open(trace.knobs)
        except UsageError:
            raise
        except Exception as error:
            if belongs_to_containment(error):
                raise
            failure = failure_of(error, "open", self.target.modules, "", 0)
            return Recording(trace=trace, answers={}, failure=failure, watched=self.watched)
        account = executor.resources if self._reports and isinstance(executor, ReportsResources) else None
        points: Callable[[], Mapping[str, int]] = dict
        if isinstance(executor, InjectsFaults):
            points = executor.fault_points
            if fault is not None:
                executor.inject(fault)
        if around is not None:
            executor = around(executor)
        driver = Driver(executor, trace, self.breaches, account, self.target.modules, points)
        recording = driver.run(self.watched)
        if fault is None and around is None:
            self._passed[msgspec.msgpack.encode(trace)] = driver.passed
        return recording

    def alone(self, request: Request, **changes: KnobValue) -> Recording:
        """One request by itself, under the knobs of the case, changed."""
        return self.record(Trace(arrivals=(Arrival(request=request),), knobs=self.case.knobs), **changes)

    def complete(self, knobs: dict[str, KnobValue]) -> dict[str, KnobValue]:
        """The settings with defaults for the rest; what this target does not offer is left out."""
        known = {name: value for name, value in knobs.items() if type(value) is type(self.defaults.get(name))}
        return self.defaults | known

    def values(self, knob: str) -> tuple[KnobValue, ...]:
        """Settings of a knob that are worth trying; empty if the target does not offer it."""
        return next((found.values for found in self.target.knobs if found.name == knob), ())

    def breaches(self, request: Request) -> tuple[Breach, ...]:
        """How a request leaves the documented domain; remembered for the case in hand."""
        known = self._breaches.get(id(request))
        if known is None:
            known = self._breaches[id(request)] = (request, breaches(request, self.domain, self.limits))
        return known[1]

    def scores(self, token_ids: tuple[int, ...]) -> Row | None:
        """Logits `[len, vocab]` in float64 by full recompute; None if the target cannot score, or failed to."""
        if not self.scores_tokens or not token_ids:
            return None
        if token_ids not in self._scores:
            found = self._bench_call("logits", lambda: self.bench.logits(token_ids))
            self._scores[token_ids] = None if found is None else np.asarray(found, dtype=np.float64)
        return self._scores[token_ids]

    def step_scores(self, answer: Answer, index: int) -> Row | None:
        """Raw logits `[tokens, vocab]` from which the tokens of a sample were chosen; None if they are not known."""
        tokens = answer.samples[index].tokens
        if not tokens or answer.request.adapter is not None:
            return None
        rows = self.scores((*answer.request.prompt, *tokens))
        if rows is None or len(rows) != len(answer.request.prompt) + len(tokens):
            return None
        start = len(answer.request.prompt) - 1
        return None if start < 0 else np.asarray(rows[start:-1])

    def processed_row(self, answer: Answer, index: int, position: int) -> Row | None:
        """Processed logits `[vocab]` from which one token of a sample was chosen; None if they are not known.

        Those of a request with a JSON schema are known but for which tokens it forbids.
        """
        rows = self.step_scores(answer, index)
        if rows is None or not np.isfinite(rows[position]).any():
            return None
        sample, request = answer.samples[index], answer.request
        return processed(rows[position], request.sampling, request.prompt, sample.tokens[:position], self.limits)

    def log_probabilities(self, rows: Row) -> Row:
        """Log-softmax of each row `[rows, vocab]`."""
        return np.stack([log_softmax(row) for row in rows])

    def detokenize(self, token_ids: Sequence[int]) -> str | None:
        """The text of a whole sequence; None if the target cannot say, or failed to."""
        if not self.detokenizes:
            return None
        found = self._bench_call("detokenize", lambda: self.bench.detokenize(token_ids))
        return None if found is None else str(found)

    def _bench_call(self, name: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            if belongs_to_containment(error):
                raise
            self.failures.append(failure_of(error, name, self.target.modules, "", 0))
            return None

    def _open(self, knobs: dict[str, KnobValue]) -> Executor:
        executor: Executor = self.target.open(self.model, **knobs)
        return executor
