"""Fast generation for coverage-guided engines: the same decisions as the Hypothesis strategies, without their cost."""

from __future__ import annotations

from random import Random

from strategies.source import RandomSource
from strategies.space import Space
from strategies.traces import draw_malformed_trace, draw_trace
from targets.trace import Trace


def generate_trace(random: Random, space: Space, *, malformed: bool = False) -> Trace:
    """A new trace; equal states of `random` give equal traces."""
    source = RandomSource(random)
    return draw_malformed_trace(source, space) if malformed else draw_trace(source, space)
