from __future__ import annotations

from random import Random

from strategies.graphs import GraphSpace, crossover, generate_graph_case, mutate_graph_case
from strategies.graphs.mutate import nesting


def test_edits_never_nest_graphs_so_deeply_that_their_work_explodes() -> None:
    space, random = GraphSpace(), Random(3)
    case = generate_graph_case(random, space)
    for _ in range(400):
        edited = mutate_graph_case(case, random, space)
        case = crossover(edited, generate_graph_case(random, space), random, space)
        assert nesting(edited.config) <= space.depth + 1
        assert nesting(case.config) <= space.depth + 1
