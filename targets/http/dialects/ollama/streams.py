"""The grammar of NDJSON streams: objects with `done: false`, then one with `done: true` and the counts."""

from __future__ import annotations

from targets.http.dialects.model import Answer, Choice, Endpoint, Json, Problem
from targets.http.dialects.ollama.answers import final_shape, part_shape, text_of, usage_of
from targets.http.dialects.schema import shape_problems
from targets.http.dialects.strict_json import StrictJsonError, parse


def read_stream(endpoint: Endpoint, body: bytes, request: Json) -> Answer:
    """One object a line; an error may take the place of the last."""
    del request
    lines = body.split(b"\n")
    problems: list[Problem] = []
    if lines[-1].strip():
        problems.append(Problem("line-unended", f"the last line has no line feed: {lines[-1][-80:]!r}"))
    found = [_parsed(line, problems) for line in lines if line.strip()]
    objects = [entry for entry in found if isinstance(entry, dict)]
    error = next((str(entry["error"]) for entry in objects if "error" in entry), "")
    finals = [entry for entry in objects if entry.get("done") is True]
    if not error and len(finals) != 1:
        problems.append(Problem("no-done" if not finals else "done-twice", f"{len(finals)} objects have done: true"))
    if error and "error" not in objects[-1]:
        problems.append(Problem("after-error", "an object follows an error"))
    if not error and finals and objects[-1] is not finals[-1]:
        problems.append(Problem("after-done", "an object follows the one with done: true"))
    return _answer(endpoint, objects, finals, problems, error)


def _parsed(line: bytes, problems: list[Problem]) -> Json:
    try:
        return parse(line)
    except StrictJsonError as error:
        problems.append(Problem("line-not-json", f"a line is not JSON ({error}): {line[:80]!r}"))
        return None


def _answer(endpoint: Endpoint, objects: list[Json], finals: list[Json], problems: list[Problem], error: str) -> Answer:
    text = ""
    for entry in objects:
        if "error" in entry:
            continue
        shape = final_shape(endpoint) if entry.get("done") is True else part_shape(endpoint)
        strange = shape_problems(shape, entry, "line-shape")
        problems += strange
        text += "" if strange else text_of(endpoint, entry)
    finish = finals[-1].get("done_reason") if finals else None
    return Answer(
        choices=(Choice(index=0, text=text, finish=finish if isinstance(finish, str) else None),),
        usage=usage_of(finals[-1]) if finals and not problems else None,
        problems=tuple(problems),
        events=len(objects),
        error=error,
    )
