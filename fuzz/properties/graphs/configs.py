"""Configs are judged before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fuzz.lab.graph_lab import GraphLab
from fuzz.properties.graphs.registration import graph_property
from fuzz.properties.model import Cost, Violation
from targets.codec import DecodeError, convert
from targets.graph.case import GraphCase, document_of
from targets.graph.config import EntryConfig, GraphConfig, plain
from targets.graph.contract import GraphRejected
from targets.graph.script import GraphInputs

MAX_MESSAGE = 2000


@graph_property("G7", "Invalid configs are refused", sources=("GRAPH-10",), cost=Cost.OBSERVES, malformed=True)
def invalid_refused(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """A config with a defect is refused before any node runs, with a message that names the place and stays short."""
    assert case.defect is not None
    try:
        document = document_of(case)
    except ValueError:
        # An edited case may have lost the place of its defect; then there is nothing to judge.
        return
    name = case.defect.name
    lab.tally.looked += 1
    try:
        lab.runner(case.knobs).validate(document)
    except GraphRejected as error:
        yield from _message(name, error)
    else:
        yield Violation(code="G7", slug=f"accepted-{name}", message=f"a config with the defect {name!r} is accepted")
    try:
        config = convert(document, GraphConfig)
    except (DecodeError, RecursionError):
        return
    try:
        result = lab.runner(case.knobs).run(config, case.inputs, case.script)
    except GraphRejected:
        return
    yield Violation(code="G7", slug=f"ran-{name}", message=f"a config with the defect {name!r} ran: {result.status}")


@graph_property("G11", "Valid configs are accepted in every notation", sources=("GRAPH-10", "GRAPH-09"))
def valid_accepted(lab: GraphLab, case: GraphCase) -> Iterator[Violation]:
    """Lists or tuples, defaults written out or left out: all notations of a valid config are accepted.

    A run without a required variable is refused.
    """
    lab.tally.looked += 1
    runner = lab.runner(case.knobs)
    document = plain(case.config)
    for notation, form in (("plain", document), ("tuples", _tuples(document)), ("explicit", explicit(case.config))):
        try:
            runner.validate(form)
        except GraphRejected as error:
            yield Violation(code="G11", slug=f"refused-{notation}", message=f"a valid config ({notation}): {error}")
    if demanding := _demanding(case.config):
        try:
            runner.run(demanding, GraphInputs(message=case.inputs.message), case.script)
        except GraphRejected:
            return
        yield Violation(code="G11", slug="ran-without-variable", message="a run without a required variable started")


def explicit(value: object) -> Any:
    """Plain data of a config with every default written out."""
    if isinstance(value, msgspec.Struct):
        fields = {name: explicit(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__.tag
        return fields if tag is None else {"type": tag, **fields}
    if isinstance(value, dict):
        return {key: explicit(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [explicit(item) for item in value]
    return value


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _demanding(config: GraphConfig) -> GraphConfig | None:
    """The config with an entry node that requires a variable, if it has any channel."""
    if not config.state:
        return None
    needed = EntryConfig(requires=(next(iter(config.state)),))
    nodes = tuple(
        msgspec.structs.replace(node, config=needed) if node.id == config.entry[0] else node for node in config.nodes
    )
    return msgspec.structs.replace(config, nodes=nodes)


def _message(name: str, error: GraphRejected) -> Iterator[Violation]:
    if not error.field or not error.allowed:
        message = f"the refusal of {name!r} names no place or no allowed value: {error}"
        yield Violation(code="G7", slug="nameless-refusal", message=message)
    if len(str(error)) > MAX_MESSAGE:
        yield Violation(code="G7", slug="endless-refusal", message=f"the refusal has {len(str(error))} characters")
