"""What models and tools wrote, against the replies that the script holds for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from fuzz.properties.graphs.compare import nodes_by_path, same_value
from targets.graph.config import GraphConfig, ModelConfig, ToolConfig
from targets.graph.result import NodeRun, Outcome
from targets.graph.script import Script, reply_for


def wrong_answers(config: GraphConfig, script: Script, runs: Iterable[NodeRun]) -> Iterator[str]:
    """A sentence for every visit of a model or tool whose write is not the reply of its turn.

    Turns count the visits within a round and the rounds around it, so that a node in a loop gets the next reply in the
    next round (GRAPH-07 was an answer of an earlier visit). Replies without a value depend on the question and are
    left out. `runs` are in the order of `GraphResult.nodes`.
    """
    nodes = dict(nodes_by_path(config))
    visits: Counter[tuple[tuple[str, ...], tuple[int, ...]]] = Counter()
    for run in runs:
        for place in [
            place for place in visits if len(place[0]) > len(run.node) and place[0][: len(run.node)] == run.node
        ]:
            del visits[place]  # the next visit of a nesting node counts anew
        turn = visits[run.node, run.iterations] + sum(run.iterations)
        visits[run.node, run.iterations] += 1
        held = nodes[run.node].config
        if run.outcome is not Outcome.DONE or not isinstance(held, ModelConfig | ToolConfig):
            continue
        value = reply_for(script, run.node, turn).value
        if value is not None and not any(same_value(value, written) for _, written in run.writes):
            yield f"node {'/'.join(run.node)!r} wrote {list(run.writes)} in turn {turn + 1}, its reply is {value!r}"
