"""What makes two failures the same: the property and its kind of breach, or the fate and the place in the code."""

from __future__ import annotations

import hashlib
import re
import signal
from pathlib import Path

from fuzz.contain.outcome import Fate, Outcome
from fuzz.engines.model import Trial

_FRAME = re.compile(r'File "(?P<path>[^"]+)", line \d+,? in (?P<function>[^\s]+)')
_OURS = ("fuzz/contain/", "fuzz/lab/", "fuzz/properties/", "fuzz/judge.py", "fuzz/engines/", "fuzz/probes/")
_JUDGING = (*_OURS, "strategies/", "targets/http/", "targets/codec.py", "targets/contract.py", "targets/trace.py")
"""What judging calls; an error that was raised nowhere else is no target's."""
_LIBRARY = ("/lib/python3", "<frozen", "<string>")


def signatures(trial: Trial) -> tuple[str, ...]:
    """Every kind of failure one trial shows, the bad outcome first; empty if it did not fail."""
    found = [] if trial.outcome.fate is Fate.COMPLETED else [outcome_signature(trial.outcome)]
    if trial.verdict is not None:
        found += [violation.signature for violation in trial.verdict.violations]
    return tuple(dict.fromkeys(found))


def labels(trial: Trial) -> dict[str, str]:
    """Every signature of a trial with its cause; where no cause shows, the signature stands for it."""
    causes = {one.signature: one.cause for one in trial.verdict.violations if one.cause} if trial.verdict else {}
    return {signature: causes.get(signature, signature) for signature in signatures(trial)}


def kin(trial: Trial, signature: str) -> tuple[str, ...]:
    """The signatures that a trial shows together with this one: what it broke itself, or what one property derived."""
    found = trial.verdict.violations if trial.verdict else ()
    families = {one.signature: one.code for one in found if one.derived}
    return tuple(name for name in signatures(trial) if families.get(name) == families.get(signature))


def variants(trial: Trial, *names: str) -> tuple[str, ...]:
    """The variants of the violations that have one of these names as signature or cause."""
    found = trial.verdict.violations if trial.verdict else ()
    chosen = [one.variant for one in found if one.variant and (one.signature in names or one.cause in names)]
    return tuple(dict.fromkeys(chosen))


def outcome_signature(outcome: Outcome) -> str:
    """`fate/what/place`: place is the target's own frame, innermost for a crash, outermost for a hang.

    A hung loop is caught at a random line, but the call that never returned is always the same.
    """
    frames = _target_frames(outcome.stack)
    place = ""
    if frames:
        place = frames[0] if outcome.fate is Fate.HUNG else frames[-1]
    return "/".join(part for part in (outcome.fate.value, _what(outcome), place) if part)


def is_ours(outcome: Outcome) -> bool:
    """Whether an error was raised by what judges, not by what is judged: it tells of a bug of inferfuzz."""
    paths = [found["path"] for found in _FRAME.finditer(outcome.stack)]
    judging = [any(part in path for part in _JUDGING) for path in paths]
    foreign = [not ours and not _is_library(path) for path, ours in zip(paths, judging, strict=True)]
    return outcome.fate is Fate.RAISED and any(judging) and not any(foreign)


def identity(target: str, signature: str) -> str:
    """The finding's id: stable between campaigns, machines and checkouts."""
    return hashlib.sha256(f"{target}\n{signature}".encode()).hexdigest()[:12]


def _what(outcome: Outcome) -> str:
    if outcome.signal is not None:
        try:
            return signal.Signals(outcome.signal).name
        except ValueError:
            return f"signal-{outcome.signal}"
    if outcome.error_type:
        return outcome.error_type.rpartition(".")[2]
    return "" if outcome.exit_code is None else f"exit-{outcome.exit_code}"


def _target_frames(stack: str) -> list[str]:
    """`file.py:function` of the frames that are neither ours nor the standard library's, outermost first."""
    frames = [(found["path"], found["function"]) for found in _FRAME.finditer(stack)]
    if "most recent call first" in stack:
        frames.reverse()
    return [
        f"{Path(path).name}:{function}"
        for path, function in frames
        if not any(part in path for part in _OURS) and not _is_library(path)
    ]


def _is_library(path: str) -> bool:
    return any(part in path for part in _LIBRARY) and "site-packages" not in path
