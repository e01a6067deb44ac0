"""What holds for all tests."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts its background jobs so, and whatever they start inherits it: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
