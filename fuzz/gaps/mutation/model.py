"""Mutants, their fates and the score, as plain data."""

from __future__ import annotations

import enum

import msgspec

FORMAT = 1


class Bucket(enum.StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    """A test failed."""
    TIMEOUT = "timeout"
    """A test took far longer than without the mutant; counts as noticed."""
    SURVIVED = "survived"
    NO_TEST = "no test"
    """No test executes the function."""
    SUSPICIOUS = "suspicious"
    """The process ended in another way (a crash, a kill, memory): not counted as noticed, since any of them may have
    a cause outside.
    """
    SKIPPED = "skipped"
    """Left out on purpose (a pragma, the type checker); not part of the score."""
    UNCHECKED = "not checked"
    """The run ended before it."""


NOTICED = (Bucket.KILLED, Bucket.TIMEOUT)


def bucket_of(code: int | None) -> Bucket:
    """The bucket for an exit code of mutmut 3.8; None is one that was never run."""
    match code:
        case None:
            return Bucket.UNCHECKED
        case 0:
            return Bucket.SURVIVED
        case 1 | 3:
            return Bucket.KILLED
        case 5 | 33:
            return Bucket.NO_TEST
        case 34 | 37:
            return Bucket.SKIPPED
        case 36 | -24 | 24 | 152 | 255:
            return Bucket.TIMEOUT
    return Bucket.SUSPICIOUS


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one function."""

    name: str
    """As mutmut calls it."""
    path: str
    """Module as it is imported: `package/module.py`."""
    function: str
    tier: str
    bucket: Bucket
    diff: str = ""
    """For those that nobody noticed."""
    nearest: tuple[str, ...] = ()
    """Properties that noticed other mutants of the function, or else of the module; the most frequent first."""
    explained: str = ""
    """Why nothing need notice it, from the list of explained survivors; empty for one that is not listed."""


class ModuleScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well the mutants of a module, or of a tier, are noticed."""

    name: str
    buckets: dict[str, int]
    score: float
    """Noticed mutants over all but the skipped ones; 1 for none. The minimum is judged by it."""
    explained: int = 0
    """Survivors that are listed as explained."""
    apart: float = 1.0
    """The score with these left out."""


class FunctionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the mutants of one function were noticed, for drawing a sample later."""

    name: str
    """As mutmut mangles it, with its module."""
    path: str
    digest: str
    """mutmut's hash of the function's source."""
    noticed: dict[str, str]
    """Case to the numbers of the mutants that it noticed."""


class MutationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `inferfuzz mutate`; an accepted one is the next baseline."""

    format: int = FORMAT
    target: str
    made: str
    seconds: float
    versions: dict[str, str]
    cases: int
    modules: tuple[ModuleScore, ...]
    tiers: tuple[ModuleScore, ...]
    survivors: tuple[Mutant, ...]
    """Everything that was not noticed, whatever the bucket, except what was skipped."""
    reasons: tuple[str, ...] = ()
    """Why it fails; empty if it passes."""
    new_survivors: tuple[str, ...] | None = None
    """Names of survivors that the baseline does not have; None without a baseline."""
    noticed_by: dict[str, int] = {}
    """Property to the number of mutants that it noticed, alone or with others."""
    functions: tuple[FunctionRecord, ...] = ()
    notes: tuple[str, ...] = ()
