"""Properties of workflow-graph runners; importing this package registers them."""

from fuzz.properties.graphs import (
    checkpoints,
    configs,
    contract,
    faults,
    nesting,
    patience,
    recorded,
    routing,
    schedule,
    termination,
)

__all__ = [
    "checkpoints",
    "configs",
    "contract",
    "faults",
    "nesting",
    "patience",
    "recorded",
    "routing",
    "schedule",
    "termination",
]
