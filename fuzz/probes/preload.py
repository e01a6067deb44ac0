"""Importing this module installs the probes that the environment asks for; put it first among a zygote's imports.

So the target's modules are compiled with probes once, in the zygote, and a worker that takes over after a crash is
ready as fast as without them.
"""

from __future__ import annotations

import os

from fuzz.contain.shared import shared_memory
from fuzz.probes.hook import install
from fuzz.probes.plan import plan_probes

VARIABLE = "INFERFUZZ_PROBES"
"""Comma-separated module names, as in `Target.modules`."""

names = tuple(name for name in os.environ.get(VARIABLE, "").split(",") if name)
if names:
    install(plan_probes(names), shared_memory())
