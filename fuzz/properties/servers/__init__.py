"""Properties of servers; importing this package registers them."""

from fuzz.properties.servers import (
    accounting,
    answering,
    cost,
    effects,
    faults,
    health,
    isolation,
    leaving,
    neutrality,
    refusals,
    streams,
    validity,
)

__all__ = [
    "accounting",
    "answering",
    "cost",
    "effects",
    "faults",
    "health",
    "isolation",
    "leaving",
    "neutrality",
    "refusals",
    "streams",
    "validity",
]
