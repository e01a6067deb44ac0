"""`inferfuzz init`: the skeleton of a target of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from targets.errors import UsageError

TARGET_FILE = "inferfuzz_target.py"
TEST_FILE = "test_inference.py"

_TARGET = '''"""The engine under test, as inferfuzz sees it. Try it with: inferfuzz run inferfuzz_target:TARGET"""

from targets.contract import FinishReason, Limits, Output, Request, RequestRejected, Target, Usage
from targets.domain import require_valid, supporting


def next_token(prompt: tuple[int, ...], tokens: list[int]) -> int:
    """Your model, greedy."""
    return (7 * sum(prompt) + 7 * sum(tokens) + 1) % 256


class MyExecutor:
    """Replace the bodies by calls of your engine: add a request, run one scheduler step, abort, close."""

    def __init__(self, model: object) -> None:
        self.running: dict[str, tuple[Request, list[int]]] = {}
        self.aborted: set[str] = set()

    def submit(self, request: Request) -> None:
        require_valid(request, TARGET)
        if request.id in self.running:
            raise RequestRejected("id", request.id, "an id that is not in use")
        self.running[request.id] = (request, [])

    def step(self) -> list[Output]:
        return [self.advance(name) for name in list(self.running)]

    def advance(self, name: str) -> Output:
        request, tokens = self.running[name]
        reason = FinishReason.ABORT if name in self.aborted else None
        if reason is None:
            tokens.append(next_token(request.prompt, tokens))
            reason = FinishReason.LENGTH if len(tokens) == request.sampling.max_tokens else None
        usage = Usage(prompt_tokens=len(request.prompt), completion_tokens=len(tokens)) if reason else None
        token = None if reason is FinishReason.ABORT else tokens[-1]
        if reason:
            del self.running[name]
            self.aborted.discard(name)
        return Output(request_id=name, token_id=token, finish_reason=reason, usage=usage)

    def abort(self, request_id: str) -> None:
        if request_id in self.running:
            self.aborted.add(request_id)

    def close(self) -> None:
        self.running.clear()


TARGET = Target(
    name="mine",
    summary="my engine",
    load=lambda device, dtype: None,  # load your model once
    open=lambda model: MyExecutor(model),  # open executors cheaply; knobs come as keyword arguments
    limits=Limits(vocab_size=256, context_length=256),
    domain=supporting("max_tokens", greedy_only=True),  # the sampling fields that you support
    modules=("inferfuzz_target",),  # whose branches guide the fuzzer; name your scheduler's package here
)
'''
_TEST = '''"""Runs every property that applies to the target, each as a test of its own."""

inferfuzz_target = "inferfuzz_target:TARGET"
'''


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the skeleton of a target of your own, and a test module for it, into FOLDER."""
    written = [
        _write(folder / TARGET_FILE, _TARGET),
        _write(folder / TEST_FILE, _TEST),
    ]
    for path in written:
        click.echo(f"wrote {path}")
    click.echo("next: inferfuzz run inferfuzz_target:TARGET   or   pytest")


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already and is left as it is. Name another folder.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return path
