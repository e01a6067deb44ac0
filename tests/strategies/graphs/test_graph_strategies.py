"""Generated graph cases, their mutations, defects and simplifications."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings

from fuzz.properties.graphs.compare import all_nodes as walk
from strategies.graphs import (
    DEFECTS,
    GraphSpace,
    crossover,
    generate_graph_case,
    graph_cases,
    malformed_graph_cases,
    mutate_graph_case,
    prove,
    simplify,
    size,
)
from strategies.graphs.malformed import with_defect
from strategies.graphs.mutate import is_valid, without_node
from strategies.source import RandomSource
from targets.codec import decode, encode
from targets.graph.case import ConfigDefect, GraphCase, document_of
from targets.graph.config import NODE_TYPES, Edge, Join
from targets.graph.domain import GraphDomain
from targets.graph.structure import cyclic_node
from targets.graph.validate import check_run, decode_config

SPACE = GraphSpace()
SAMPLE = [generate_graph_case(random.Random(seed), SPACE) for seed in range(300)]


def all_nodes(case: GraphCase) -> list[str]:
    return [node.type for node in walk(case.config)]


def test_every_generated_case_is_inside_the_domain_as_serialised() -> None:
    for case in SAMPLE:
        assert decode_config(document_of(case)) == case.config
        check_run(case.config, case.inputs, SPACE.domain)


def test_cases_survive_json() -> None:
    for case in SAMPLE[:100]:
        assert decode(encode(case), GraphCase) == case


def test_equal_seeds_give_equal_cases() -> None:
    assert generate_graph_case(random.Random(5), SPACE) == SAMPLE[5]


def test_every_node_type_and_shape_is_generated() -> None:
    seen = Counter(node_type for case in SAMPLE for node_type in all_nodes(case))
    assert set(seen) == set(NODE_TYPES)
    configs = [case.config for case in SAMPLE]
    assert any(cyclic_node(config) for config in configs)
    assert any(len(config.entry) > 1 for config in configs)
    assert any(len(config.exits) > 1 for config in configs)
    assert any(node.join is Join.ALL for config in configs for node in config.nodes)
    assert any(edge.condition for config in configs for edge in config.edges)


def test_graphs_grow_to_hundreds_of_nodes() -> None:
    space = msgspec.structs.replace(SPACE, large_share=1.0)
    sizes = [len(generate_graph_case(random.Random(seed), space).config.nodes) for seed in range(20)]
    assert max(sizes) > 100


def test_a_narrow_domain_is_respected() -> None:
    domain = GraphDomain(
        node_types=("entry", "transform", "exit"),
        joins=False,
        deadlines=False,
        max_retries=0,
        forbidden_characters="|:/",
    )
    space = GraphSpace(domain=domain)
    for seed in range(100):
        case = generate_graph_case(random.Random(seed), space)
        assert is_valid(case, space), seed


@given(graph_cases(SPACE))
@settings(max_examples=25, deadline=None)
def test_hypothesis_draws_the_same_kind_of_case(case: GraphCase) -> None:
    assert is_valid(case, SPACE)


@given(malformed_graph_cases(SPACE))
@settings(max_examples=25, deadline=None)
def test_a_drawn_malformed_case_is_proven_invalid(case: GraphCase) -> None:
    assert prove(case, SPACE.domain)


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_invalid_as_serialised(name: str) -> None:
    for seed in range(25):
        source = RandomSource(random.Random(seed))
        case = SAMPLE[seed]
        patches = DEFECTS[name](source, case.config, SPACE.domain)
        broken = msgspec.structs.replace(case, defect=ConfigDefect(name=name, patches=patches))
        assert prove(broken, SPACE.domain), (seed, patches)


def test_every_defect_is_drawn() -> None:
    drawn = [with_defect(SAMPLE[0], RandomSource(random.Random(seed)), SPACE.domain).defect for seed in range(300)]
    assert {defect.name for defect in drawn if defect} == set(DEFECTS)


def test_a_mutated_case_is_valid_and_mostly_new() -> None:
    generator = random.Random(3)
    changed = 0
    for case in SAMPLE[:150]:
        edited = mutate_graph_case(case, generator, SPACE)
        assert is_valid(edited, SPACE)
        check_run(edited.config, edited.inputs, SPACE.domain)
        changed += edited != case
    assert changed == 150


def test_dropping_a_node_with_an_edge_to_itself_leaves_no_edge_to_nowhere() -> None:
    config = SAMPLE[0].config
    name = next(node.id for node in config.nodes if node.type not in ("entry", "exit"))
    looped = msgspec.structs.replace(config, edges=(*config.edges, Edge(source=name, target=name)))
    left = without_node(looped, name)
    known = {node.id for node in left.nodes}
    assert all({edge.source, edge.target} <= known for edge in left.edges)


def test_a_chain_of_mutations_stays_valid() -> None:
    generator = random.Random(4)
    case = SAMPLE[0]
    for _ in range(200):
        case = mutate_graph_case(case, generator, SPACE)
        assert is_valid(case, SPACE)


def test_a_mutated_malformed_case_stays_malformed() -> None:
    generator = random.Random(5)
    for seed in range(60):
        case = generate_graph_case(random.Random(seed), SPACE, malformed=True)
        assert prove(mutate_graph_case(case, generator, SPACE), SPACE.domain)


def test_a_crossover_is_valid() -> None:
    generator = random.Random(6)
    for first, second in zip(SAMPLE[:80], SAMPLE[80:160], strict=True):
        assert is_valid(crossover(first, second, generator, SPACE), SPACE)


def test_a_crossover_of_a_malformed_case_stays_provable() -> None:
    generator = random.Random(8)
    for seed in range(80):
        case = generate_graph_case(random.Random(seed), SPACE, malformed=True)
        crossed = crossover(case, SAMPLE[seed], generator, SPACE)
        assert crossed.defect is None or prove(crossed, SPACE.domain)


def test_simpler_cases_are_smaller_and_lead_to_the_smallest_graph() -> None:
    case = SAMPLE[7]
    while True:
        simpler = [found for found in simplify(case) if is_valid(found, SPACE)]
        if not simpler:
            break
        assert all(size(found) < size(case) for found in simpler)
        case = simpler[0]
    assert [node.type for node in case.config.nodes] == ["entry", "exit"]


def test_a_node_goes_together_with_the_step_in_which_it_ran() -> None:
    case = next(case for case in SAMPLE if case.pause and case.pause.after > 2 and len(case.config.nodes) > 4)
    assert case.pause is not None
    before = (len(case.config.nodes), case.pause.after)
    after = {(len(found.config.nodes), found.pause.after) for found in simplify(case) if found.pause}
    assert (before[0] - 1, before[1] - 1) in after


def test_any_of_several_entries_can_go() -> None:
    case = next(case for case in SAMPLE if len(case.config.entry) > 1 and case.defect is None)
    left = {found.config.entry for found in simplify(case)}
    assert {case.config.entry[1:], (*case.config.entry[:1], *case.config.entry[2:])} <= left


def test_a_simpler_malformed_case_keeps_the_place_of_its_defect() -> None:
    for seed in range(40):
        case = generate_graph_case(random.Random(seed), SPACE, malformed=True)
        for simpler in simplify(case):
            assert simpler.defect == case.defect
