"""Generate and check graph cases on a runner with one source edit; print the first finding as JSON.

Run as a program: the edit and the seconds come as JSON on standard input.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT))


class Edited(importlib.abc.MetaPathFinder):
    """Finds one module and loads its source with an edit."""

    def __init__(self, file: str, old: str, new: str) -> None:
        self._file = ROOT / file
        self._name = file.removesuffix(".py").replace("/", ".")
        self._old = old
        self._new = new

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        source = self._file.read_text()
        assert source.count(self._old) == 1, "the edit no longer fits the source"
        code = source.replace(self._old, self._new)

        class Loader(importlib.abc.InspectLoader):
            def get_source(self, fullname: str) -> str:
                return code

        return importlib.util.spec_from_loader(fullname, Loader())


def hunt(seconds: float) -> dict[str, object]:
    """The first finding within the time, or how many cases had none."""
    from fuzz.lab.graph_lab import GraphLab
    from fuzz.properties.registry import properties
    from strategies.graphs import generate_graph_case, graph_space_of, mutate_graph_case
    from targets.contract import TargetKind
    from targets.reference.graph import TARGET

    lab = GraphLab(TARGET)
    space = graph_space_of(TARGET)
    known = properties(TargetKind.GRAPH)
    generator = random.Random(0)
    began = time.monotonic()
    cases = 0
    while time.monotonic() - began < seconds:
        case = generate_graph_case(generator, space, malformed=generator.random() < 0.1)
        if generator.random() < 0.4:
            case = mutate_graph_case(case, generator, space)
        cases += 1
        lab.begin(case)
        for found in known:
            for violation in found.check(lab, case):
                spent = round(time.monotonic() - began, 2)
                return {"code": violation.code, "slug": violation.slug, "cases": cases, "seconds": spent}
    return {"code": None, "cases": cases, "seconds": seconds}


if __name__ == "__main__":
    order = json.load(sys.stdin)
    if order["file"]:
        sys.meta_path.insert(0, Edited(order["file"], order["old"], order["new"]))
    sys.stdout.write(json.dumps(hunt(order["seconds"])) + "\n")
