"""Values, conditions and expressions that fit the channels of `strategies.graphs.space`."""

from __future__ import annotations

from strategies.graphs.space import CHANNELS, GraphSpace
from strategies.source import Source
from targets.graph.config import COMMUTATIVE, Reducer, Value

WORDS = ("a", "b", "final", "", "7", "ünï", "two words", "null")
TEXTS = ("answer", "note")
NUMBERS = ("count", "total", "best", "least")
LISTS = ("log", "tags")
ANSWERS = (*TEXTS, *LISTS)
"""Channels that a model's text fits."""
COMBINED = ("count", "best", "log", "tags", "total", "least")
"""Channels that several nodes of one step may write."""

HOSTILE_NAMES = (
    "1",
    "0|1",
    "a:b",
    "a/b",
    "a.b",
    "a[0]",
    "__proto__",
    "node 1",
    "end",
    "START",
    "-1",
    "ünï",
    "None",
    "{x}",
    "a,b",
    "%s",
    "'",
    "loop[3]",
    "__input__",
    "branch:to:x",
)
"""Names that are valid here and that a runner may take apart by mistake."""


def draw_value(source: Source, channel: str) -> Value:
    """A value that may be written to the channel."""
    match CHANNELS[channel].reducer if channel in CHANNELS else Reducer.LAST:
        case Reducer.SUM | Reducer.MAX | Reducer.MIN:
            return source.integer(-2, 5)
        case Reducer.UNION:
            return source.choice(WORDS)
        case Reducer.APPEND:
            return source.integer(0, 9) if source.boolean() else source.choice(WORDS)
        case Reducer.LAST:
            return [*WORDS[: source.integer(0, 4)]] if channel == "items" else source.choice(WORDS)


def draw_condition(source: Source) -> str:
    """A condition that always evaluates: some hold early, some late, some never."""
    match source.integer(0, 5):
        case 0:
            return f"{source.choice(NUMBERS)} {source.choice(('<', '>=', '==', '!='))} {source.integer(0, 4)}"
        case 1:
            return f"len({source.choice(LISTS)}) {source.choice(('<', '>='))} {source.integer(0, 4)}"
        case 2:
            return f"{source.choice(TEXTS)} {source.choice(('==', '!='))} {quoted(source.choice(WORDS))}"
        case 3:
            return f"{quoted(source.choice('0123456789abcdef'))} in {source.choice(TEXTS)}"
        case 4:
            return f"not ({draw_simple(source)})"
        case _:
            return f"{draw_simple(source)} {source.choice(('and', 'or'))} {draw_simple(source)}"


def draw_simple(source: Source) -> str:
    """A comparison of one number."""
    return f"{source.choice(NUMBERS)} {source.choice(('<', '>'))} {source.integer(0, 3)}"


def draw_expression(source: Source, channel: str) -> str:
    """An expression whose value may be written to the channel."""
    match CHANNELS[channel].reducer:
        case Reducer.SUM | Reducer.MAX | Reducer.MIN:
            return source.choice(("1", "count + 1", "best - 1", "len(log)", "count * 2 % 7", "total // 2"))
        case Reducer.UNION:
            return source.choice(('"t"', "answer", '["p", "q"]'))
        case Reducer.APPEND:
            return source.choice(("count", "answer", '["p", 1]', "message"))
        case Reducer.LAST:
            return source.choice(('"done"', "answer", "message", 'note + "."'))


def draw_channel(source: Source, space: GraphSpace, candidates: tuple[str, ...]) -> str:
    """One of the channels whose reducer the target has."""
    usable = [name for name in candidates if CHANNELS[name].reducer in space.domain.reducers]
    return source.choice(usable or ["answer"])


def commutes(channel: str) -> bool:
    """Whether the order of writes to the channel never matters."""
    return channel in CHANNELS and CHANNELS[channel].reducer in COMMUTATIVE


def quoted(text: str) -> str:
    """The text as a literal of the expression language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
