"""Launcher of the `inferfuzz` command, under a name of its own so that it can speak up when a package is shadowed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGES = ("targets", "strategies", "fuzz")


def shadowed() -> tuple[tuple[str, str, str], ...]:
    """(package, our file, the file Python finds instead) for each of our packages that another one hides."""
    root = Path(__file__).resolve().parent
    found = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        ours = root / name / "__init__.py"
        places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
        other = next((place for place in places if place), "nothing")
        if other == "nothing" or not Path(other).resolve().is_relative_to(root / name):
            found.append((name, str(ours), other))
    return tuple(found)


def main() -> None:
    """Run the command line; exit code 2 when a package of the user's hides one of ours."""
    clashes = shadowed()
    if clashes:
        for name, ours, other in clashes:
            sys.stderr.write(f"inferfuzz: package {name!r} of inferfuzz ({ours}) is hidden by {other}.\n")
        sys.stderr.write("Rename yours, or start inferfuzz from a folder that does not hold it.\n")
        sys.exit(2)
    from fuzz.cli import run

    run()


if __name__ == "__main__":
    main()
