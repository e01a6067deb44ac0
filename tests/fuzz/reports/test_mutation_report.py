from __future__ import annotations

import io

from rich.console import Console

from fuzz.gaps.mutation.model import ModuleScore, MutationReport
from fuzz.reports.mutation import show_mutation


def shown(paths: list[str], width: int) -> str:
    modules = tuple(ModuleScore(name=path, buckets={"killed": 3, "survived": 1}, score=0.75) for path in paths)
    report = MutationReport(
        target="mine", made="", seconds=1.0, versions={}, cases=1, modules=modules, tiers=(), survivors=()
    )
    stream = io.StringIO()
    show_mutation(report, Console(file=stream, width=width))
    return stream.getvalue()


def test_a_narrow_terminal_shows_in_what_the_modules_differ() -> None:
    text = shown(["engine/internals/schedule/queue.py", "engine/internals/memory/pool.py"], width=60)
    assert "engine/internals/ " in text
    assert "schedule/queue.py" in text and "memory/pool.py" in text


def test_a_module_alone_has_its_whole_path() -> None:
    assert "engine/pool.py" in shown(["engine/pool.py"], width=60)
