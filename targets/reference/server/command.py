"""`python -m targets.reference.server.command MODEL PORT`: the front end in a process of its own, until it is ended."""

from __future__ import annotations

import sys
import threading

from targets import registry
from targets.reference.server.run import serving_target


def main(arguments: list[str]) -> None:
    """Serve the executor target of that name on that port of the loopback address."""
    model, port = arguments
    with serving_target(registry.find(model), port=int(port)):
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
