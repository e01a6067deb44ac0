"""`inferfuzz run`: a campaign from the command line."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from fuzz import configuration

if TYPE_CHECKING:
    from fuzz.reports.summary import Summary


@click.command("run")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--device", "devices", multiple=True, help="Device as PyTorch names it; repeatable. Default: all found.")
@click.option("--dtype", "dtypes", multiple=True, help="Number format; repeatable. Default: the target's first.")
@click.option("--profile", default="", help="ci, local, nightly, release, or one of the configuration.")
@click.option("--time", "duration", metavar="60s", help="Time budget: 90, 60s, 10m, 1h30m. Default: the profile's.")
@click.option("--cases", type=click.IntRange(min=1), help="Stop each job after this many cases, if sooner.")
@click.option("--jobs", type=click.IntRange(min=1), help="Parallel jobs. Default: one a core.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the random decisions. Default: a new one.")
@click.option("--property", "codes", multiple=True, metavar="CODE", help="Judge by this property only; repeatable.")
@click.option("--engine", type=click.Choice(["auto", "guided", "atheris", "hypothesis"]), help="How cases are chosen.")
@click.option("--deadline", type=float, metavar="SECONDS", help="Seconds a call, or one answer of a server, may take.")
@click.option("--dialect", type=click.Choice(["openai", "anthropic", "ollama"]), help="What servers by URL speak.")
@click.option("--family", help="Kind of server, for known deviations: strict, vllm, transformers, llama.cpp, ...")
@click.option("--schema/--no-schema", default=True, help="Draw from a server's own /openapi.json, too. Default: yes.")
@click.option("--model", help="Name of the model to ask a server for. Default: the first that it lists.")
@click.option("--allow-host", "hosts", multiple=True, help="A host beside loopback that may be tested; repeatable.")
@click.option("--folder", metavar="PATH", help="Where corpus and findings are kept. Default: .inferfuzz")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="Form of the summary.")
def command(
    targets: tuple[str, ...],
    devices: tuple[str, ...],
    dtypes: tuple[str, ...],
    profile: str,
    duration: str | None,
    cases: int | None,
    jobs: int | None,
    seed: int | None,
    codes: tuple[str, ...],
    engine: str | None,
    deadline: float | None,
    dialect: str | None,
    family: str | None,
    schema: bool,
    model: str | None,
    hosts: tuple[str, ...],
    folder: str | None,
    style: str,
) -> int:
    """Fuzz TARGETs for a time and report findings.

    A TARGET is a name (`inferfuzz targets`), module:attribute, or the URL of a server. Without one, the reference
    executor is fuzzed on every device found. Findings are kept, de-duplicated, confirmed and shrunk as they come; the
    corpus carries over to the next run. Ctrl-C ends the campaign cleanly, with its summary.

    A profile (--profile, INFERFUZZ_PROFILE, or the configuration) says how long, how patiently, and whether every run
    takes the same seed; the other options win over it. Without one the configuration's `time` is the budget.
    """
    from rich.console import Console

    from fuzz.campaign.plan import CampaignPlan, seconds_of
    from fuzz.campaign.runner import run_campaign
    from fuzz.campaign.units import allow, server_name, tell_of_servers, units_of
    from fuzz.contain.system import core_count
    from fuzz.profiles import of_campaign
    from fuzz.properties.registry import find
    from fuzz.reports.progress import ProgressView
    from fuzz.reports.summary import summarise

    defaults = configuration.load()
    way = of_campaign(profile, defaults)
    allow(hosts)
    tell_of_servers(model=model, deadline=deadline)
    targets = tuple(server_name(target, dialect, family) for target in targets or defaults.targets)
    chosen = codes and tuple(find(code).code for code in codes)
    plan = CampaignPlan(
        units=units_of(targets, devices or defaults.devices, dtypes or defaults.dtypes),
        seconds=seconds_of(duration or way.time),
        jobs=jobs or defaults.jobs or core_count(),
        seed=seed if seed is not None else 0 if way.derandomize else secrets.randbelow(2**32),
        engine=engine or defaults.engine,
        codes=chosen or None,
        executions=cases,
        folder=folder or defaults.folder,
        deadline=deadline or defaults.deadline * way.patience,
        memory=defaults.memory << 20 or None,
        schema=schema,
    )
    with ProgressView(Console(stderr=True)) as view:
        state = run_campaign(plan, view)
    summary = summarise(state)
    _show(summary, style)
    return summary.exit_code


def _show(summary: Summary, style: str) -> None:
    if style == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=1))
        return
    from fuzz.reports.console import results_console
    from fuzz.reports.terminal import show_summary

    show_summary(summary, results_console())
