"""What a caller gives a run (message, variables, context) and what models and tools will answer it."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from targets.graph.config import Value


class GraphInputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the caller of a graph gives."""

    message: str = ""
    variables: dict[str, Value] = {}
    """Values of declared channels, in place of their initial ones."""
    context: dict[str, str] = {}
    """Facts about the call that nodes cannot change; `trace_id` names the run."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model or tool does in one visit of its node."""

    value: Value = None
    """None answers with a digest of what was asked, so a wrong question gives a different answer."""
    latency: float = 0.0
    """Seconds it waits before it answers."""
    busy: float = 0.0
    """Seconds it computes without giving way to anything else."""
    failures: int = 0
    """So many attempts fail before one succeeds."""
    partial: bool = False
    """Whether a failing attempt has already handed over its write."""


class NodeReplies(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The replies of one node, used in turn, visit by visit, and then from the start again."""

    node: tuple[str, ...]
    """Path of node names from the outermost graph inwards."""
    replies: tuple[Reply, ...]


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything outside the graph that decides a run."""

    nodes: tuple[NodeReplies, ...] = ()
    cancel_at: float | None = None
    """Seconds after which the caller cancels the run."""


NEUTRAL_REPLY = Reply()


class ScriptedFailure(Exception):  # noqa: N818 - what a model or tool raises, on the script's order
    """An attempt that the script lets fail."""


def reply_for(script: Script, path: Sequence[str], visit: int) -> Reply:
    """The reply to visit number `visit` (from 0) of the node at this path."""
    wanted = tuple(path)
    for entry in script.nodes:
        if entry.node == wanted and entry.replies:
            return entry.replies[visit % len(entry.replies)]
    return NEUTRAL_REPLY


def digest(question: str) -> str:
    """The default answer: eight hexadecimal digits that depend on every character of the question."""
    return f"{zlib.crc32(question.encode('utf-8', 'surrogatepass')):08x}"


def answer(reply: Reply, question: str) -> Value:
    """What the reply says to a question."""
    return digest(question) if reply.value is None else reply.value


def scripted_answer(script: Script) -> Callable[[str, object], Value]:
    """A stand-in for the models and tools of one run: give it a node's name and what the node asks."""
    calls: Counter[str] = Counter()

    def respond(node: str, question: object) -> Value:
        calls[node] += 1
        return answer(reply_for(script, (node,), calls[node] - 1), repr(question))

    return respond
