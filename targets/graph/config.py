"""A workflow graph as plain data: nodes with a type, edges with condition and weight, channels, limits.

Execution goes in steps. In each step every ready node runs once on the state that the previous step left; then all
writes of the step are applied in the declared order of the nodes, and the edges that were taken decide which nodes
are ready next. A node's edge conditions see the state with that node's own writes, not those of its neighbours.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

Value = bool | int | str | None | list[bool | int | str | None]
"""What a channel holds. Numbers are integers, so that no sum depends on the order of its terms."""


class Reducer(enum.StrEnum):
    """How a write joins what the channel holds."""

    LAST = "last"
    """Replaces; two nodes that write it in one step are a conflict."""
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    APPEND = "append"
    """Adds one element, or all elements of a list."""
    UNION = "union"
    """Adds the elements that are not there yet and keeps the list sorted."""


COMMUTATIVE = frozenset({Reducer.SUM, Reducer.MAX, Reducer.MIN, Reducer.UNION})
"""Reducers whose result does not depend on the order of the writes."""


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One named part of the state. `initial` None means the reducer's neutral value."""

    reducer: Reducer = Reducer.LAST
    initial: Value = None


class EntryConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="entry"
):
    """Where a run begins. Names in `requires` are variables that the caller must give."""

    requires: tuple[str, ...] = ()


class ModelConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="model"
):
    """One model call: the prompt followed by the channels in `reads`; the reply goes to `writes`."""

    writes: str
    prompt: str = ""
    reads: tuple[str, ...] = ()


class ReasoningConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="reasoning"
):
    """Several model calls, each of which sees the thoughts before it; the last reply goes to `writes`."""

    writes: str
    prompt: str = ""
    reads: tuple[str, ...] = ()
    max_thoughts: int = 3
    stop: str = ""
    """A reply that contains this text ends the thinking; empty never does."""


class RouterConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="router"
):
    """Takes exactly one edge: the heaviest whose condition holds, the first of equal weight."""


class ToolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="tool"):
    """One call of a named tool with the channels in `reads` as arguments; the reply goes to `writes`."""

    tool: str
    writes: str
    reads: tuple[str, ...] = ()


class Otherwise(enum.StrEnum):
    """What a gate does when its condition does not hold."""

    STOP = "stop"
    """The branch ends here, the run goes on."""
    FAIL = "fail"
    """The run fails."""


class GateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="gate"):
    """Lets the run pass while a condition holds."""

    condition: str
    otherwise: Otherwise = Otherwise.STOP


class TransformConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="transform"
):
    """Computes channels from expressions; all of them see the state before this node."""

    assign: dict[str, str]


class LoopConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="loop"):
    """Runs its body at least `min_iterations` times, until the condition holds or `max_iterations` is reached."""

    body: GraphConfig
    until: str = "false"
    min_iterations: int = 1
    max_iterations: int = 3
    otherwise: Otherwise = Otherwise.STOP
    """Whether reaching `max_iterations` before the condition holds fails the run."""


class FanOutConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="fan_out"
):
    """Runs its body once for each element of the list in `over`, side by side; `item` holds the element inside.

    The writes of the bodies are applied in the order of the elements.
    """

    over: str
    item: str
    body: GraphConfig
    max_items: int = 16
    """A longer list fails the run."""


class TimeoutConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="timeout"
):
    """Runs its body for at most so many seconds; after that it is cancelled and `fallback` is written instead."""

    seconds: float
    body: GraphConfig
    fallback: dict[str, Value] = {}


class SubgraphConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="subgraph"
):
    """Runs its body as one node."""

    body: GraphConfig


class ExitConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="exit"):
    """Where a run may end; the channel it reads becomes the final message."""

    reads: str = "message"


NodeConfig = (
    EntryConfig
    | ModelConfig
    | ReasoningConfig
    | RouterConfig
    | ToolConfig
    | GateConfig
    | TransformConfig
    | LoopConfig
    | FanOutConfig
    | TimeoutConfig
    | SubgraphConfig
    | ExitConfig
)

NESTING = (LoopConfig, FanOutConfig, TimeoutConfig, SubgraphConfig)
"""Node types with a graph of their own in `body`."""

NODE_TYPES = (
    "entry",
    "model",
    "reasoning",
    "router",
    "tool",
    "gate",
    "transform",
    "loop",
    "fan_out",
    "timeout",
    "subgraph",
    "exit",
)

MESSAGE = "message"
"""The channel that every graph has: it starts with the caller's message and is overwritten by the last write."""


class Join(enum.StrEnum):
    """When a node with several incoming edges becomes ready."""

    ANY = "any"
    """In the step after any of them was taken."""
    ALL = "all"
    """In the step after the one in which the last of them was taken; then it waits for all of them again."""


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node: its name, what it does, and how patiently."""

    id: str
    config: NodeConfig
    join: Join = Join.ANY
    timeout: float | None = None
    """Seconds for one attempt."""
    retries: int = 0
    """Attempts after the first one that failed or timed out; a failed attempt leaves no writes."""

    @property
    def type(self) -> str:
        """The tag of its config, such as `model`."""
        return type_of(self.config)


class Edge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A way from one node to another, taken when its condition holds (always without one)."""

    source: str
    target: str
    condition: str | None = None
    weight: float = 1.0
    """Which of several open edges a router takes: the heaviest."""


class GraphLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bounds of one run."""

    max_steps: int = 25
    """A run that is not finished after so many steps fails."""
    max_parallel: int = 64
    """Nodes of one step that run at the same time."""
    timeout: float | None = None
    """Seconds for the whole run."""


class GraphConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A workflow graph. A body inside a node has no channels of its own: it shares those around it."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    entry: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()
    state: dict[str, Channel] = {}
    limits: GraphLimits = GraphLimits()
    cycles: bool = False
    name: str = ""


def type_of(config: NodeConfig) -> str:
    """The tag of a node config, such as `fan_out`."""
    return str(config.__struct_config__.tag)


def body_of(node: Node) -> GraphConfig | None:
    """The graph inside a node, if its type has one."""
    return node.config.body if isinstance(node.config, NESTING) else None


def with_body(node: Node, body: GraphConfig) -> Node:
    """The same node around another graph. Raises `TypeError` for a type without a body."""
    if not isinstance(node.config, NESTING):
        raise TypeError(f"node {node.id!r} is a {node.type}, which has no body")
    return msgspec.structs.replace(node, config=msgspec.structs.replace(node.config, body=body))


def channels_of(config: GraphConfig) -> dict[str, Channel]:
    """The declared channels and the message channel."""
    return {MESSAGE: Channel(initial=""), **config.state}


def plain(config: GraphConfig) -> Any:
    """The config as a document of dicts and lists, as its JSON text is read."""
    return msgspec.json.decode(msgspec.json.encode(config))
