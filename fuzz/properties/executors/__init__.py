"""Properties of executors; importing this package registers them."""

from fuzz.properties.executors import (
    accounting,
    admission,
    caching,
    constraints,
    equivalence,
    faults,
    logprobs,
    options,
    reference,
    safety,
    sampling,
    saving,
    text,
)

__all__ = [
    "accounting",
    "admission",
    "caching",
    "constraints",
    "equivalence",
    "faults",
    "logprobs",
    "options",
    "reference",
    "safety",
    "sampling",
    "saving",
    "text",
]
