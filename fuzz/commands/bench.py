"""`inferfuzz bench`: measurements that print the ratios of one run."""

from __future__ import annotations

import click

from fuzz.cli import EXIT_CLEAN, EXIT_INTERRUPTED


@click.group("bench")
def command() -> None:
    """Measure; every figure that is compared comes from one run, since machines are shared."""


@command.command("containment")
@click.option("--rounds", type=click.IntRange(min=1), default=150, help="Rounds of ten 1 ms calls each contender.")
@click.option("--faults", type=click.IntRange(min=0), default=200, help="Faults of the soak; 0 leaves it out.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Order of the faults.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def containment(rounds: int, faults: int, seed: int, style: str) -> None:
    """What containment costs a call, and how soon a worker is ready again after a crash or a hang."""
    import msgspec

    from fuzz.bench.containment import render, run

    result = run(rounds=rounds, faults=faults, seed=seed, progress=_say)
    click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1) if style == "json" else render(result))


@command.command("engines")
@click.option("--time", "duration", default="20s", metavar="20s", help="Time for each engine and seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="Seeds to repeat with.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def engines(duration: str, seeds: int, style: str) -> None:
    """How soon each engine reaches state-dependent conditions of a small scheduler, beside Hypothesis and Atheris."""
    import msgspec

    from fuzz.bench.engines import render, run
    from fuzz.campaign.plan import seconds_of

    result = run(seconds=seconds_of(duration), seeds=seeds, progress=_say)
    click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1) if style == "json" else render(result))


@command.command("bugs")
@click.option("--bugs", "files", multiple=True, metavar="FILE", help="File of planted bugs; repeatable. Default: ours.")
@click.option("--bug", "ids", multiple=True, metavar="ID", help="Hunt this bug only; repeatable.")
@click.option("--time-per-bug", "duration", default="60s", metavar="60s", help="Processor time for each bug and seed.")
@click.option("--linger", default="3s", metavar="3s", help="Processor time after a find, in which others may show.")
@click.option(
    "--engine",
    "engines",
    type=click.Choice(
        ["guided", "atheris", "hypothesis", "plain-hypothesis", "fuzz-one-input", "schemathesis"], case_sensitive=True
    ),
    multiple=True,
    default=["guided"],
    help="How cases are chosen; repeatable, for a comparison. The last three are rivals: plain requests drawn by"
    " Hypothesis, the same from bytes that Atheris chooses, and Schemathesis on servers.",
)
@click.option("--shrinking", default="15s", metavar="15s", help="Time that shrinking a finding may take.")
@click.option("--corpus/--no-corpus", default=True, help="Start from the shipped seeds, as campaigns do.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="Seeds to repeat with.")
@click.option("--replays", type=click.IntRange(min=0), default=10, help="Replays of each finding in fresh processes.")
@click.option("--jobs", type=click.IntRange(min=1), help="Hunts at a time. Default: one a core.")
@click.option("--results", metavar="FILE", help="Append each hunt as a line of JSON; those in it are not held again.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the result.")
def bugs(
    files: tuple[str, ...],
    ids: tuple[str, ...],
    duration: str,
    linger: str,
    shrinking: str,
    engines: tuple[str, ...],
    corpus: bool,
    seeds: int,
    replays: int,
    jobs: int | None,
    results: str | None,
    style: str,
) -> int:
    """Which planted bugs a campaign finds, by which property and how soon.

    A bug is an edit of one line or a few of a target's source, rebuilt from a real bug. It is planted when the
    module is imported; no file is changed. `--bugs` takes files for a target of your own in the same form.
    """
    import os
    from pathlib import Path

    import msgspec
    from rich.console import Console

    from fuzz.bench.planted.journal import Journal
    from fuzz.bench.planted.measure import Sweep, measure
    from fuzz.bench.planted.report import show
    from fuzz.campaign.plan import seconds_of
    from fuzz.planted.load import load_bugs, select, shipped_files

    sweep = Sweep(
        bugs=select(load_bugs([Path(file) for file in files] or shipped_files()), ids),
        engines=tuple(dict.fromkeys(engines)),
        seconds=seconds_of(duration),
        seeds=seeds,
        jobs=jobs or os.cpu_count() or 1,
        linger=seconds_of(linger),
        corpus=corpus,
        replays=replays,
        shrinking=seconds_of(shrinking),
    )
    result = measure(sweep, Journal(Path(results) if results else None), _say)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=1))
    else:
        console = Console()
        # Rows are lines; what is no terminal has no width to keep to.
        show(result, console if console.is_terminal else Console(width=200))
    return EXIT_INTERRUPTED if result.interrupted else EXIT_CLEAN


def _say(line: str) -> None:
    click.echo(line, err=True)
