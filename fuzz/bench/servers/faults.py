"""Hand-made faults of the reference front end: one changed place each, and the properties that must name it."""

from __future__ import annotations

from typing import NamedTuple

SERVER = "targets/reference/server"


class Fault(NamedTuple):
    """One line of one file, before and after; found by one of `codes` on the dialect's endpoints."""

    name: str
    dialect: str
    file: str
    before: str
    after: str
    codes: tuple[str, ...]
    deadly: bool = False
    """Whether it ends the server's process, which is then not the one that looks for it."""


FAULTS: tuple[Fault, ...] = (
    Fault(
        "accepts-nan",
        "openai",
        "bodies.py",
        "return msgspec.json.decode(data, type=kind)",
        'return msgspec.json.decode(data.replace(b"NaN", b"1"), type=kind)',
        ("H4",),
    ),
    Fault(
        "accepts-empty-stop",
        "openai",
        "openai/types.py",
        "Text = Annotated[str, Meta(min_length=1)]",
        "Text = str",
        ("H4",),
    ),
    Fault("error-500-on-bad-fields", "openai", "bodies.py", 'raise invalid(f"{path', 'raise KeyError(f"{path', ("H4",)),
    Fault(
        "leaks-the-body",
        "openai",
        "bodies.py",
        "not JSON in UTF-8: {reason}",
        "not JSON in UTF-8: {data.decode(errors='replace')}",
        ("H4",),
    ),
    Fault(
        "drops-the-last-character",
        "openai",
        "openai/shapes.py",
        '"text": part.text, "logprobs"',
        '"text": part.text[:-1] if part.is_last else part.text, "logprobs"',
        ("H9",),
    ),
    Fault("forgets-done", "openai", "openai/streams.py", 'yield b"data: [DONE]\\n\\n"', 'yield b""', ("H41",)),
    Fault(
        "mixes-up-neighbours",
        "openai",
        "engine.py",
        "for event in events:",
        "swap = __import__('msgspec').structs.replace\n        "
        "for event in [swap(event, text=events[place - 1].text) for place, event in enumerate(events)]:",
        ("H11",),
    ),
    Fault(
        "dies-on-unknown-ids",
        "openai",
        "openai/inputs.py",
        "return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < front_end.limits.vocab_size",
        "return isinstance(value, int) and (value < front_end.limits.vocab_size or bool(__import__('os')._exit(9)))",
        ("H3",),
        deadly=True,
    ),
    Fault(
        "leaks-a-block-at-abort",
        "openai",
        "engine.py",
        "self._listeners.pop(request_id, None)\n            executor.abort(request_id)",
        "self._listeners.pop(request_id, None), executor._pool.allocate()\n            executor.abort(request_id)",
        ("H12",),
    ),
    Fault(
        "stop-looks-like-length",
        "openai",
        "openai/streams.py",
        'FinishReason.STOP: "stop"',
        'FinishReason.STOP: "length"',
        ("H29",),
    ),
    Fault(
        "total-is-no-sum", "openai", "openai/streams.py", "prompt + completion}", "prompt + completion + 1}", ("H29",)
    ),
    Fault("ignores-the-seed", "openai", "openai/inputs.py", "seed=body.seed", "seed=None", ("H17",)),
    Fault(
        "takes-zero-for-absent",
        "openai",
        "openai/inputs.py",
        "temperature=1.0 if body.temperature is None else body.temperature",
        "temperature=body.temperature or 1.0",
        ("H17",),
    ),
    Fault("ignores-bias", "openai", "openai/inputs.py", "body.logit_bias or {})", "{})", ("H31",)),
    Fault(
        "milliseconds-in-streams",
        "openai",
        "openai/streams.py",
        '"created": int(time.time())',
        '"created": int(time.time() * 1000)',
        ("H5", "H41"),
    ),
    Fault(
        "no-role-in-the-first-delta",
        "openai",
        "openai/shapes.py",
        'delta = {"role": "assistant", "content": ""}',
        'delta = {"content": ""}',
        ("H41",),
    ),
    Fault(
        "ignores-stop-sequences",
        "anthropic",
        "anthropic.py",
        "stop=tuple(body.stop_sequences or ())",
        "stop=()",
        ("H29", "H31"),
    ),
    Fault(
        "refuses-null",
        "anthropic",
        "anthropic.py",
        "stop_sequences: list[_Text] | None = None",
        "stop_sequences: list[_Text] = []",
        ("H21", "H5"),
    ),
    Fault(
        "events-without-names",
        "anthropic",
        "anthropic.py",
        'return b"event: " + name.encode() + b"\\ndata: "',
        'return b"data: "',
        ("H41",),
    ),
    Fault(
        "wrong-error-type",
        "anthropic",
        "errors.py",
        '_ANTHROPIC_TYPES = {404: "not_found_error"',
        '_ANTHROPIC_TYPES = {404: "api_error"',
        ("H4",),
    ),
    Fault(
        "fails-on-bad-utf8",
        "anthropic",
        "bodies.py",
        "except (msgspec.DecodeError, UnicodeDecodeError) as",
        "except msgspec.DecodeError as",
        ("H4",),
    ),
    Fault(
        "never-says-done",
        "ollama",
        "ollama.py",
        '"done": True,\n        "done_reason": _FINISH',
        '"done": False,\n        "done_reason": _FINISH',
        ("H41", "H5"),
    ),
    Fault(
        "error-is-an-object",
        "ollama",
        "errors.py",
        'return {"error": error.message}',
        'return {"error": {"message": error.message}}',
        ("H4",),
    ),
    Fault("accepts-any-model", "ollama", "front_end.py", "if name != self.model:", "if not name:", ("H4",)),
    Fault(
        "breaks-down-on-depth", "openai", "bodies.py", "except RecursionError:", "except ZeroDivisionError:", ("H4",)
    ),
    Fault(
        "worn-out-by-refusals",
        "ollama",
        "bodies.py",
        'raise invalid(f"the body is not JSON in UTF-8: {reason}") from None',
        'globals().update(BODY_LIMIT=1); raise invalid(f"the body is not JSON in UTF-8: {reason}") from None',
        ("H3",),
    ),
)
