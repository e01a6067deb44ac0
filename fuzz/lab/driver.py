"""Runs one literal trace on one executor, step by step, and writes down everything it does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fuzz.lab.failures import belongs_to_containment, failure_of, rejection_of, shown
from fuzz.lab.recording import Answer, Failure, Recording, Rejection, Sample
from targets.contract import Executor, Output, Request, RequestRejected, Resources, TokenLogprobs
from targets.domain import Breach
from targets.trace import Arrival, Trace, with_defect

BOUND_BASE = 64
BOUND_FACTOR = 8
"""A run may take `BOUND_BASE + BOUND_FACTOR * (prompt and completion tokens of all requests)` steps: one step a token
is the slowest schedule that chunks of one token and a batch of one allow, and preemption may repeat a part of it."""

Classify = Callable[[Request], tuple[Breach, ...]]


@dataclass
class _Track:
    """One sample while it is being recorded."""

    tokens: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    deltas: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprobs | None] = field(default_factory=list)
    last: Output | None = None
    terminals: int = 0
    late: int = 0


@dataclass
class _Entry:
    """One request while it is being recorded."""

    arrival: Arrival
    request: Request
    breaches: tuple[Breach, ...]
    submitted: int | None = None
    aborted: int | None = None
    rejection: Rejection | None = None
    failure: Failure | None = None
    prompt_logprobs: tuple[TokenLogprobs | None, ...] | None = None
    progress: list[int] = field(default_factory=list)
    tracks: list[_Track] = field(default_factory=list)
    open: int = 0
    """Samples without a terminal event so far."""


class _Stop(Exception):  # noqa: N818 - ends the run, after a failure was recorded
    pass


class Driver:
    """One run. `classify` says how a request leaves the documented domain; `account` reads the resources, if any;
    `points` counts the passes of fault points.
    """

    def __init__(
        self,
        executor: Executor,
        trace: Trace,
        classify: Classify,
        account: Callable[[], Resources] | None,
        modules: tuple[str, ...],
        points: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._executor = executor
        self._trace = trace
        self._classify = classify
        self._account = account
        self._modules = modules
        self._points = points
        self.passed: dict[str, int] = {}
        """How often each fault point was passed in the run."""
        self._entries: dict[str, _Entry] = {}
        self._failure: Failure | None = None
        self._strays: list[str] = []
        self._overdrawn: Resources | None = None
        self._unfinished = 0
        self._clock = 0
        self._steps = 0
        self._bound = BOUND_BASE
        self._stuck = False

    def run(self, watched: str = "") -> Recording:
        """Run to the end, to the first exception, or to the step bound; then close the executor."""
        opened = closed = stalled = None
        try:
            opened = self._resources()
            if self._play():
                closed = self._resources()
            elif self._stuck:
                stalled = self._resources()
        except _Stop:
            pass  # the failure is recorded; the executor's state means nothing any more
        self.passed = dict(self._points())
        self._close()
        return Recording(
            trace=self._trace,
            answers={name: _answer(entry) for name, entry in self._entries.items()},
            steps=self._steps,
            failure=self._failure,
            stuck=self._stuck,
            exhausted=self._steps >= self._bound and self._unfinished > 0,
            bound=self._bound,
            strays=tuple(self._strays),
            opened=opened,
            closed=closed,
            stalled=stalled,
            overdrawn=self._overdrawn,
            watched=watched,
        )

    def _play(self) -> bool:
        """Whether the executor became idle after the last request."""
        pending = _schedule(self._trace)
        while True:
            while pending and pending[-1][0] <= self._clock:
                self._act(pending.pop())
            if self._unfinished:
                if not self._step() or self._steps >= self._bound:
                    return False
            elif pending:
                # Nothing happens until the next action, so the clock jumps there.
                self._clock = pending[-1][0]
            else:
                return not self._idle_step()

    def _act(self, action: tuple[int, int, int, Arrival]) -> None:
        _, abort, _, arrival = action
        if not abort:
            self._submit(arrival)
            return
        name = arrival.request.id
        self._call("abort", lambda: self._executor.abort(name), name)
        entry = self._entries.get(name)
        if entry is not None and entry.aborted is None and entry.open:
            entry.aborted = self._clock

    def _submit(self, arrival: Arrival) -> None:
        request = with_defect(arrival.request, arrival.defect) if arrival.defect else arrival.request
        entry = _Entry(arrival, request, self._classify(request))
        self._entries[arrival.request.id] = entry
        entry.submitted = self._clock
        try:
            self._executor.submit(request)
        except RequestRejected as error:
            entry.rejection = rejection_of(error)
            return
        except Exception as error:
            if belongs_to_containment(error):
                raise
            entry.failure = self._failed(error, "submit", arrival.request.id)
            return
        if entry.breaches:
            # It should have been refused; it may ask for 2**31 tokens, so it is not run.
            self._call("abort", lambda: self._executor.abort(request.id), arrival.request.id)
            return
        entry.tracks = [_Track() for _ in range(request.sampling.n)]
        entry.open = len(entry.tracks)
        self._unfinished += entry.open
        self._bound += BOUND_FACTOR * (len(request.prompt) + entry.open * request.sampling.max_tokens)

    def _step(self) -> bool:
        """One step; False if it returned nothing although a request is unfinished."""
        events: Sequence[Output] = ()

        def call() -> None:
            nonlocal events
            events = self._executor.step()

        self._call("step", call)
        for event in events:
            self._receive(event)
        self._clock += 1
        self._steps += 1
        self._watch()
        self._stuck = not events
        return bool(events)

    def _idle_step(self) -> bool:
        """A step when everything is finished; whether it returned anything (recorded as late or stray events)."""
        before = self._steps
        answered = self._step()
        self._steps, self._stuck = before, False
        return answered

    def _receive(self, event: Output) -> None:
        entry = self._entries.get(event.request_id)
        if entry is None or not 0 <= event.index < len(entry.tracks):
            if entry is None or not entry.breaches:
                self._strays.append(shown(event))
            return
        if not entry.progress or entry.progress[-1] != self._clock:
            entry.progress.append(self._clock)
        if event.prompt_logprobs is not None:
            entry.prompt_logprobs = event.prompt_logprobs
        track = entry.tracks[event.index]
        if track.terminals:
            track.late += 1
        if event.token_id is not None:
            track.tokens.append(event.token_id)
            track.steps.append(self._clock)
            track.logprobs.append(event.logprobs)
        track.deltas.append(event.text)
        if event.finish_reason is not None:
            self._finish(entry, track, event)

    def _finish(self, entry: _Entry, track: _Track, event: Output) -> None:
        if not track.terminals:
            entry.open -= 1
            self._unfinished -= 1
            track.last = event
        track.terminals += 1

    def _watch(self) -> None:
        if self._account is None or self._overdrawn is not None:
            return
        now = self._resources()
        assert now is not None
        counts = (now.free_blocks, now.cached_blocks, now.running, now.waiting)
        if min(counts) < 0 or now.free_blocks + now.cached_blocks > now.total_blocks or now.crowded:
            self._overdrawn = now

    def _resources(self) -> Resources | None:
        if self._account is None:
            return None
        account = self._account
        found: list[Resources] = []
        self._call("resources", lambda: found.append(account()))
        return found[0]

    def _close(self) -> None:
        with contextlib.suppress(_Stop):
            self._call("close", self._executor.close)

    def _call(self, name: str, call: Callable[[], None], request_id: str = "") -> None:
        try:
            call()
        except Exception as error:
            if belongs_to_containment(error):
                raise
            failure = self._failed(error, name, request_id)
            self._failure = self._failure or failure
            raise _Stop from None

    def _failed(self, error: Exception, call: str, request_id: str) -> Failure:
        return failure_of(error, call, self._modules, request_id, self._clock)


def _schedule(trace: Trace) -> list[tuple[int, int, int, Arrival]]:
    """(step, is abort, position, arrival), last action first; at one step requests come before aborts."""
    actions = [(arrival.step, 0, position, arrival) for position, arrival in enumerate(trace.arrivals)]
    actions += [
        (arrival.abort, 1, position, arrival)
        for position, arrival in enumerate(trace.arrivals)
        if arrival.abort is not None
    ]
    return sorted(actions, key=lambda action: action[:3], reverse=True)


def _answer(entry: _Entry) -> Answer:
    return Answer(
        request=entry.request,
        breaches=entry.breaches,
        submitted=entry.submitted,
        aborted=entry.aborted,
        rejection=entry.rejection,
        failure=entry.failure,
        prompt_logprobs=entry.prompt_logprobs,
        progress=tuple(entry.progress),
        samples=tuple(_sample(index, track) for index, track in enumerate(entry.tracks)),
    )


def _sample(index: int, track: _Track) -> Sample:
    last = track.last
    return Sample(
        index=index,
        tokens=tuple(track.tokens),
        steps=tuple(track.steps),
        deltas=tuple(track.deltas),
        logprobs=tuple(track.logprobs),
        finish_reason=last.finish_reason if last else None,
        stop_reason=last.stop_reason if last else None,
        usage=last.usage if last else None,
        error=last.error if last else "",
        terminals=track.terminals,
        late=track.late,
    )


def without_arrivals(trace: Trace, dropped: frozenset[str]) -> Trace:
    """The trace without the requests of these ids."""
    kept = tuple(arrival for arrival in trace.arrivals if arrival.request.id not in dropped)
    return msgspec.structs.replace(trace, arrivals=kept)
