"""Values beside the documented bounds of a numeric field, as literal text."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.properties.executors.schema_limits import neighbouring_schemas
from targets.contract import Bound, Domain, Limits
from targets.domain import INTEGER_FIELDS

WIDTHS = (2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1)
"""Where integers of 32 bits, floats of 64 bits and integers of 64 bits end."""
COLLECTIONS = ("stop", "stop_token_ids", "logit_bias", "json_schema")
LONGEST = 1000
"""Collections that may have more entries are not filled."""


def neighbours(name: str, domain: Domain, limits: Limits) -> tuple[str, ...]:
    """Python literal texts of the values to try for a field of `SamplingParams`."""
    bound = domain.bounds.get(name, Bound())
    if name == "json_schema":
        return neighbouring_schemas()
    if name in COLLECTIONS:
        return tuple(dict.fromkeys(_collections(name, bound, domain, limits)))
    if name in INTEGER_FIELDS:
        return tuple(dict.fromkeys([*_integers(name, bound, limits), "True", "1.5", "nan", "inf"]))
    return tuple(dict.fromkeys([*_floats(bound), *map(str, WIDTHS), "True", "nan", "inf", "-inf"]))


def _collections(name: str, bound: Bound, domain: Domain, limits: Limits) -> Iterator[str]:
    """As many entries as allowed and one more; the last token id and the next; values at their bounds."""
    most = {"stop": domain.max_stop, "logit_bias": domain.max_logit_bias}.get(name, LONGEST)
    for count in (most, most + 1) if most < LONGEST else ():
        yield repr(
            tuple(f"never {entry}" for entry in range(count)) if name == "stop" else dict.fromkeys(range(count), 1.0)
        )
    if name != "stop":
        for token in (limits.vocab_size - 1, limits.vocab_size, -1):
            yield repr({token: 1.0} if name == "logit_bias" else (token,))
    if name == "logit_bias":
        yield from (f"{{0: {value}}}" for value in (*_floats(bound), "nan", "inf", "True"))


def _integers(name: str, bound: Bound, limits: Limits) -> list[str]:
    caps = {"logprobs": limits.max_logprobs, "prompt_logprobs": limits.max_logprobs, "n": limits.max_samples}
    edges = [0, limits.vocab_size, limits.context_length]
    edges += [int(edge) for edge in (bound.minimum, bound.maximum, caps.get(name)) if edge is not None]
    return [str(edge + step) for edge in edges for step in (0, -1, 1)] + [str(width) for width in WIDTHS]


def _floats(bound: Bound) -> list[str]:
    values = [0.0, -0.0, 1.0, -1.0, 5e-324, 1.7976931348623157e308]
    for edge in (bound.minimum, bound.maximum):
        if edge is not None:
            values += [edge, edge - 1, edge + 1, edge - 1e-9, edge + 1e-9]
    return [repr(float(value)) for value in values]
