"""Which cases are replayed: seeds, the target's corpus, its regressions, and fresh ones if asked for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuzz.campaign.spaces import CampaignSpace, space_for
from fuzz.configuration import Configuration
from fuzz.corpus import store
from fuzz.engines.model import Case
from fuzz.findings import regression
from fuzz.gaps.model import ReplayCase
from targets.codec import DecodeError, encode
from targets.contract import Target
from targets.errors import UsageError
from targets.trace import Trace


@dataclass(frozen=True)
class Sources:
    """Where cases come from."""

    corpus: Path
    """The target's own folder."""
    regressions: Path
    generated: int = 0
    seed: int = 0


def sources_of(root: Path, configuration: Configuration, target: str, generated: int = 0) -> Sources:
    """Where a project keeps the cases of a target."""
    return Sources(
        corpus=store.own_folder(root / configuration.folder, target),
        regressions=root / configuration.regressions,
        generated=generated,
    )


@dataclass(frozen=True)
class Gathered:
    """The cases, and a line for each file that was left out."""

    cases: tuple[ReplayCase, ...]
    notes: tuple[str, ...]


def gather(name: str, target: Target, sources: Sources) -> Gathered:
    """All cases for a target, seeds first. Raises `UsageError` if there is none."""
    space = space_for(target)
    notes: list[str] = []
    cases = [
        *_stored("seed", store.shipped_seeds(), space, notes),
        *_stored("corpus", sources.corpus, space, notes),
        *_regressions(name, sources.regressions, space, notes),
        *_generated(space, sources),
    ]
    if not cases:
        raise UsageError(
            f"There is no case to replay for {name!r}: {sources.corpus} and {sources.regressions} hold none for it. "
            "Run a campaign first (inferfuzz run), or replay fresh cases with --generated 200."
        )
    return Gathered(tuple(cases), tuple(notes))


def strategy_of(case: Case) -> str:
    """The module of `strategies` that makes what is special about a case."""
    if getattr(case, "defect", None) is not None:
        return "strategies.graphs.malformed"
    if not isinstance(case, Trace):
        is_http = case.__struct_config__.tag == "http"
        broken = any(exchange.defect for exchange in getattr(case, "exchanges", ()))
        return ("strategies.http.breaking" if broken else "strategies.http.valid") if is_http else "strategies.graphs"
    arrivals = case.arrivals
    features = (
        ("strategies.malformed", any(arrival.defect for arrival in arrivals)),
        ("strategies.schedule", any(arrival.abort is not None for arrival in arrivals)),
        ("strategies.follows", any(arrival.follow for arrival in arrivals)),
        ("strategies.sampling", any(arrival.stop_cut or arrival.request.sampling.stop for arrival in arrivals)),
        ("strategies.traces", len(arrivals) > 1),
    )
    return next((module for module, applies in features if applies), "strategies.requests")


def _stored(origin: str, folder: Path, space: CampaignSpace, notes: list[str]) -> Iterator[ReplayCase]:
    loaded = store.load(folder)
    notes += map(str, loaded.skipped)
    for stored in loaded.entries:
        if stored.entry.kind == space.kind:
            yield _replayed(f"{origin} {stored.path.stem}", space.adapt(stored.case))


def _regressions(name: str, folder: Path, space: CampaignSpace, notes: list[str]) -> Iterator[ReplayCase]:
    for path in sorted(folder.glob("*.json")):
        try:
            found = regression.load(path)
            if found.target == name:
                yield _replayed(f"regression {path.stem}", space.decode(bytes(found.case)))
        except (UsageError, DecodeError) as error:
            notes.append(f"{path} is skipped: {error}")


def _generated(space: CampaignSpace, sources: Sources) -> Iterator[ReplayCase]:
    generator = random.Random(sources.seed)
    for number in range(sources.generated):
        yield _replayed(f"generated {number}", space.generate(generator))


def _replayed(name: str, case: Case) -> ReplayCase:
    return ReplayCase(name=name, strategy=strategy_of(case), case=msgspec.Raw(encode(case)))
