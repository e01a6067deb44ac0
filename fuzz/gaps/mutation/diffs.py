"""Run inside a scratch copy: names of mutants on standard input, their diffs as a JSON object on standard output."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Look up the diff of every name."""
    from mutmut.mutation.diff_apply import find_mutant, get_diff_for_mutant

    names = json.load(sys.stdin)
    diffs = {name: get_diff_for_mutant(name, path=find_mutant(name).path) for name in names}
    json.dump(diffs, sys.stdout)


if __name__ == "__main__":
    main()
