"""Workflow graphs as generated input: valid and malformed cases, mutations, and steps to simpler cases."""

from __future__ import annotations

from random import Random

from strategies.graphs.cases import draw_case, graph_cases
from strategies.graphs.malformed import DEFECTS, draw_malformed_case, malformed_graph_cases, prove
from strategies.graphs.mutate import crossover, mutate_graph_case
from strategies.graphs.shrink import simplify, size
from strategies.graphs.space import GraphSpace, graph_space_of
from strategies.source import RandomSource
from targets.graph.case import GraphCase

__all__ = [
    "DEFECTS",
    "GraphSpace",
    "crossover",
    "generate_graph_case",
    "graph_cases",
    "graph_space_of",
    "malformed_graph_cases",
    "mutate_graph_case",
    "prove",
    "simplify",
    "size",
]


def generate_graph_case(random: Random, space: GraphSpace, *, malformed: bool = False) -> GraphCase:
    """A new case; equal states of `random` give equal cases."""
    source = RandomSource(random)
    return draw_malformed_case(source, space) if malformed else draw_case(source, space)
