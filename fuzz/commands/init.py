"""`inferfuzz init`: the skeleton of a target of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from targets.errors import UsageError

TARGET_FILE = "inferfuzz_target.py"
TEST_FILE = "test_inference.py"

_TARGET = '''"""The engine under test, as inferfuzz sees it. Try it with: inferfuzz run inferfuzz_target:TARGET"""

from targets.contract import FinishReason, Limits, Output, Request, Target, Usage


class MyExecutor:
    """Replace the bodies by calls of your engine: add a request, run one scheduler step, abort, close."""

    def __init__(self, model: object) -> None:
        self.running: dict[str, tuple[Request, int]] = {}

    def submit(self, request: Request) -> None:
        self.running[request.id] = (request, 0)

    def step(self) -> list[Output]:
        events = []
        for name, (request, done) in list(self.running.items()):
            token = (sum(request.prompt) + done) % 256  # your model's next token
            last = done + 1 == request.sampling.max_tokens
            usage = Usage(prompt_tokens=len(request.prompt), completion_tokens=done + 1) if last else None
            reason = FinishReason.LENGTH if last else None
            events.append(Output(request_id=name, token_id=token, finish_reason=reason, usage=usage))
            self.running[name] = (request, done + 1)
            if last:
                del self.running[name]
        return events

    def abort(self, request_id: str) -> None:
        self.running.pop(request_id, None)

    def close(self) -> None:
        self.running.clear()


TARGET = Target(
    name="mine",
    summary="my engine",
    load=lambda device, dtype: None,  # load your model once
    open=lambda model: MyExecutor(model),  # open executors cheaply
    limits=Limits(vocab_size=256, context_length=256, block_size=16),
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
