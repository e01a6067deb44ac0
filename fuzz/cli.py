"""The command line: one module a command, imported only when it is used."""

from __future__ import annotations

import importlib
import sys

import click

from targets.codec import DecodeError
from targets.errors import UsageError, nearest

EXIT_CLEAN = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_INTERRUPTED = 130

COMMANDS = {
    "run": "Fuzz targets for a time and report findings.",
    "replay": "Run a finding or a case again, contained.",
    "shrink": "Make a failing case smaller.",
    "promote": "Turn a finding into a regression that pytest collects.",
    "corpus": "List, add, merge or minimize cases.",
    "targets": "List the targets, or show one.",
    "properties": "List and explain the properties.",
    "check": "Certificate, regressions, properties and coverage in one release gate.",
    "gaps": "List what corpus and regressions do not exercise, by coverage tiers.",
    "mutate": "List changes of the critical modules that no property would notice.",
    "certify": "Prove in seconds that a target works at all, for a build step.",
    "bench": "Measure containment, engines, and more; prints ratios of one run.",
    "serve": "Serve the reference front end or a mock server.",
    "doctor": "Say what is installed, what is missing, and how to get it.",
    "init": "Write the skeleton of a target of your own.",
}
"""Command to its line in `--help`; module `fuzz.commands.<name>` offers it as `command`."""


class _LazyGroup(click.Group):
    """Lists commands without importing their modules, so that `--help` is immediate."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"fuzz.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            known = ", ".join(COMMANDS)
            raise click.UsageError(f"Unknown command {args[0]!r}.{nearest(args[0], COMMANDS)} Known: {known}.", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="inferfuzz")
def cli() -> None:
    """Find the bugs of inference engines: property-based testing and fuzzing of inference paths.

    Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 inconclusive, 130 interrupted.
    """


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; the user's mistakes are one message, never a traceback."""
    try:
        code = cli.main(args=arguments, prog_name="inferfuzz", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except (UsageError, DecodeError) as error:
        click.echo(f"inferfuzz: {error}", err=True)
        sys.exit(EXIT_USAGE)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        sys.stderr.close()
        sys.exit(EXIT_CLEAN)
    sys.exit(code if isinstance(code, int) else EXIT_CLEAN)
