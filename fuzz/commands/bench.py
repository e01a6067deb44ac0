"""`inferfuzz bench`: measurements that print the ratios of one run."""

from __future__ import annotations

import click


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


def _say(line: str) -> None:
    click.echo(line, err=True)
