"""Imported first in the process that workers are forked from: plants a bug and puts probes into the target's modules
as they load.

The modules are named by the environment variable `INFERFUZZ_PROBED`, separated by commas. Parent and workers number
the arms from the same sources, so nothing else has to be agreed on.
"""

from __future__ import annotations

import os

from fuzz.contain.worker import shared_memory
from fuzz.planted.hook import install_from_environment
from fuzz.probes.hook import install
from fuzz.probes.plan import plan_probes

VARIABLE = "INFERFUZZ_PROBED"

install_from_environment()
if names := os.environ.get(VARIABLE, ""):
    install(plan_probes(names.split(",")), shared_memory())
