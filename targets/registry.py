"""Find targets by name, by entry point (group `inferfuzz.targets`) or as `module:attribute`."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from targets.contract import Knob, KnobValue, Target
from targets.errors import UsageError, unknown

_SERVER_NAME = re.compile(r"(?:[a-z]+(?::[a-z.-]+)?\+)?(?:https?://|cmd:)")
ENTRY_POINT_GROUP = "inferfuzz.targets"


@dataclass(frozen=True)
class Listing:
    """A target that can be named, loaded or not: what is known without importing its library."""

    name: str
    summary: str
    location: str
    """`module:attribute`."""
    requires: Mapping[str, str]
    """Module name to the command that installs it."""

    def missing(self) -> tuple[str, ...]:
        """Install commands for the required modules that are not installed."""
        return tuple(
            dict.fromkeys(
                command for module, command in self.requires.items() if importlib.util.find_spec(module) is None
            )
        )


_TORCH = {"torch": "pip install torch"}
_SERVER = "pip install 'inferfuzz[server]'"
_LLAMA_CPP = "pip install 'inferfuzz[server,llama-cpp]'"
_MLX_LM = "pip install 'inferfuzz[server,mlx-lm]'"

BUILT_IN = (
    Listing("reference", "small complete engine, random decoder", "targets.reference:DECODER", _TORCH),
    Listing("reference-hash", "the same engine, hash model with guaranteed margins", "targets.reference:HASH", _TORCH),
    Listing("reference-ternary", "the same engine, ternary linear layers", "targets.reference:TERNARY", _TORCH),
    Listing(
        "transformers",
        "tiny Llama through generate with a KV cache",
        "targets.transformers:GENERATE",
        {"transformers": "pip install 'inferfuzz[transformers]'", **_TORCH},
    ),
    Listing(
        "transformers-continuous",
        "tiny Llama through continuous batching",
        "targets.transformers:CONTINUOUS",
        {"transformers": "pip install 'inferfuzz[transformers]'", **_TORCH},
    ),
    Listing("graph", "reference workflow-graph runner", "targets.reference.graph:TARGET", {}),
    Listing(
        "langgraph",
        "LangGraph's StateGraph with scripted models and tools",
        "targets.langgraph:TARGET",
        {"langgraph": "pip install 'inferfuzz[langgraph]'"},
    ),
    *(
        Listing(
            f"reference-{dialect}",
            f"reference front end, {dialect} dialect",
            f"targets.http.locate:reference_{dialect}",
            {"starlette": _SERVER, "uvicorn": _SERVER, "jsonschema": _SERVER, **_TORCH},
        )
        for dialect in ("openai", "anthropic", "ollama")
    ),
    Listing(
        "transformers-serve",
        "`transformers serve` on a tiny Llama",
        "targets.http.recipes:transformers_serve",
        {"transformers": "pip install 'transformers[serving]'", "fastapi": "pip install 'transformers[serving]'"},
    ),
    Listing(
        "llama-cpp-serve",
        "`llama_cpp.server` on a tiny Llama",
        "targets.http.recipes:llama_cpp_serve",
        dict.fromkeys(("llama_cpp", "sse_starlette", "gguf", "transformers", "h11"), _LLAMA_CPP),
    ),
    Listing(
        "mlx-lm-serve",
        "`mlx_lm.server` on a tiny Llama",
        "targets.http.recipes:mlx_lm_serve",
        dict.fromkeys(("mlx_lm", "mlx", "transformers", "h11"), _MLX_LM),
    ),
    Listing("scripted", "canned outputs, latencies and faults; no model", "targets.scripted:TARGET", {}),
)


def listings() -> tuple[Listing, ...]:
    """Every target that can be named, built-in ones first."""
    found = {listing.name: listing for listing in BUILT_IN}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        summary = f"from {point.dist.name}" if point.dist else "from an entry point"
        found.setdefault(point.name, Listing(point.name, summary, point.value, {}))
    return tuple(found.values())


def find(name: str) -> Target:
    """The target of that name, at `module:attribute`, or of a server's URL or command.

    Raises `UsageError` if it is unknown, its library is not installed, or its module does not import.
    """
    # Entry points are looked up only for names that are not built in: reading every package's metadata takes 30 ms.
    known = {listing.name: listing for listing in BUILT_IN}
    if name not in known:
        known = {listing.name: listing for listing in listings()}
    if name in known:
        listing = known[name]
        if commands := listing.missing():
            raise UsageError(f"Target {name!r} needs a library that is not installed. Run: {' && '.join(commands)}")
        return load(listing.location)
    if _SERVER_NAME.match(name):
        return _find_server(name)
    if ":" in name:
        return load(name)
    advice = "A target of your own is named as module:attribute; `inferfuzz init` writes a skeleton."
    raise unknown("target", name, known, advice)


def _find_server(name: str) -> Target:
    if importlib.util.find_spec("h11") is None:
        raise UsageError(f"Servers as targets need a library that is not installed. Run: {_SERVER}")
    from targets.http.locate import find_server

    return find_server(name)


def load(location: str) -> Target:
    """Import `module:attribute`; a callable is called. Raises `UsageError`."""
    module_name, _, attribute = location.partition(":")
    found = getattr(_import(module_name, location), attribute, None)
    if found is None:
        module = sys.modules[module_name]
        public = [name for name in vars(module) if not name.startswith("_")]
        raise unknown(f"attribute of module {module_name!r}", attribute, public)
    made = found() if callable(found) and not isinstance(found, Target) else found
    if not isinstance(made, Target):
        raise UsageError(
            f"{location!r} is a {type(made).__name__}, not a target. "
            "Make it a targets.contract.Target or a function that returns one."
        )
    return made


def _import(module_name: str, location: str) -> object:
    # The package of a project in src/ layout is found whether it is installed or not.
    for folder in (Path.cwd() / "src", Path.cwd()):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(module_name)
    except Exception as error:
        kind = type(error).__name__
        raise UsageError(
            f"Module {module_name!r} of target {location!r} does not import: {kind}: {error}. "
            f'See it with: python -c "import {module_name}"'
        ) from error


def check_knobs(target: Target, settings: Mapping[str, KnobValue]) -> dict[str, KnobValue]:
    """The settings, completed with defaults. Raises `UsageError` for a knob the target does not have."""
    known: dict[str, Knob] = {knob.name: knob for knob in target.knobs}
    for name, value in settings.items():
        if name not in known:
            raise unknown("knob", name, known, f"These are the knobs of target {target.name!r}.")
        if type(value) is not type(known[name].default):
            expected = type(known[name].default).__name__
            raise UsageError(f"Knob {name!r} = {value!r} of target {target.name!r} must be of type {expected}.")
    return {name: settings.get(name, knob.default) for name, knob in known.items()}
