from __future__ import annotations

from random import Random

from strategies.generate import generate_trace
from strategies.malformed import prove
from strategies.mutate import EDITS, crossover, distinct, mutate
from strategies.mutations.scene import Scene
from strategies.repair import is_valid, repair
from strategies.source import RandomSource
from strategies.space import Space
from strategies.traces import setting_under
from targets.codec import decode, encode
from targets.contract import Request
from targets.trace import Arrival, Follow, Trace

POPULATION = 60
GENERATIONS = 12


def evolved(space: Space, *, malformed: bool) -> list[Trace]:
    """Everything that several generations of mutation and crossover give."""
    random = Random(2)
    population = [generate_trace(random, space, malformed=malformed) for _ in range(POPULATION)]
    seen = []
    for _ in range(GENERATIONS):
        population = [
            mutate(trace, random, space)
            if random.random() < 0.7
            else crossover(trace, random.choice(population), random, space)
            for trace in population
        ]
        seen += population
    return seen


def test_valid_traces_stay_in_the_documented_domain(any_space: Space) -> None:
    assert [trace for trace in evolved(any_space, malformed=False) if not is_valid(trace, any_space)] == []


def test_valid_traces_never_gain_a_defect(any_space: Space) -> None:
    traces = evolved(any_space, malformed=False)
    assert not any(arrival.defect for trace in traces for arrival in trace.arrivals)


def test_malformed_traces_keep_exactly_one_proven_defect(any_space: Space) -> None:
    for trace in evolved(any_space, malformed=True):
        (bad,) = (arrival for arrival in trace.arrivals if arrival.defect is not None)
        assert bad.defect is not None
        assert prove(bad.request, bad.defect, any_space), bad.defect
        assert is_valid(trace, any_space)


def test_mutants_survive_their_json(any_space: Space) -> None:
    for trace in evolved(any_space, malformed=False):
        assert decode(encode(trace), Trace) == trace


def test_mutants_need_no_further_repair(any_space: Space) -> None:
    source = RandomSource(Random(0))
    assert all(repair(trace, any_space, source) is trace for trace in evolved(any_space, malformed=False))


def test_equal_states_give_equal_mutants(space: Space) -> None:
    trace = generate_trace(Random(1), space)
    assert mutate(trace, Random(5), space) == mutate(trace, Random(5), space)


def test_mutation_usually_changes_the_trace(space: Space) -> None:
    random = Random(4)
    traces = [generate_trace(random, space) for _ in range(500)]
    same = sum(mutate(trace, random, space) == trace for trace in traces)
    assert same < 75


def test_mutation_leaves_the_original_as_it_was(space: Space) -> None:
    random = Random(6)
    for _ in range(200):
        trace = generate_trace(random, space)
        before = encode(trace)
        mutate(trace, random, space)
        assert encode(trace) == before


def test_an_empty_trace_gets_requests(space: Space) -> None:
    empty = Trace(arrivals=())
    assert mutate(empty, Random(1), space).arrivals
    assert crossover(empty, empty, Random(1), space).arrivals


def test_every_edit_changes_some_trace(space: Space) -> None:
    random = Random(8)
    source = RandomSource(random)
    traces = [generate_trace(random, space) for _ in range(120)]
    scenes = [Scene(setting_under(space, trace.knobs), trace.arrivals, trace.knobs) for trace in traces]
    idle = [edit for edit in EDITS if all(edit(source, scene) == scene for scene in scenes)]
    assert idle == []


def test_a_crossover_mixes_requests_of_both_parents(space: Space) -> None:
    random = Random(9)
    first, second = generate_trace(random, space), generate_trace(random, space)
    prompts = [{arrival.request.prompt for arrival in trace.arrivals} for trace in (first, second)]
    children = [crossover(first, second, random, space) for _ in range(40)]
    assert any(
        all({arrival.request.prompt for arrival in child.arrivals} & parent for parent in prompts) for child in children
    )


def test_a_renamed_request_is_still_followed() -> None:
    arrivals = [
        Arrival(request=Request(id="r0", prompt=(1,))),
        Arrival(request=Request(id="r1", prompt=()), follow=Follow(request_id="r0", completion=-1)),
    ]
    renamed, follower = distinct(arrivals, {"r0"})
    assert renamed.request.id != "r0"
    assert follower.follow is not None
    assert follower.follow.request_id == renamed.request.id
