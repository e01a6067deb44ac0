"""The reference front end in a process of its own, with the bug planted that the environment names.

`python -m fuzz.bench.planted.serve PORT`; whoever started it ends it.
"""

from __future__ import annotations

import sys
import threading

from fuzz.planted.hook import install_from_environment


def main(port: int) -> None:
    """Serve until the process is ended."""
    install_from_environment()
    # Imported only now, so that the bug is in.
    from targets.reference import HASH
    from targets.reference.server.run import serving_target

    with serving_target(HASH, port=port):
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
