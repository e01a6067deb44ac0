"""A check for people, on one page."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.check.model import CheckReport, Conclusion

MOST = 3
"""Problems of a step that are shown; the files hold all."""
_STYLES = {
    Conclusion.PASSED: "green",
    Conclusion.FAILED: "bold red",
    Conclusion.ERROR: "bold red",
    Conclusion.INCONCLUSIVE: "yellow",
    Conclusion.SKIPPED: "dim",
}


def show_check(report: CheckReport, console: Console) -> None:
    """Print the steps, the first problems of each, and the verdict."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("step", "target", "", "seconds", ""):
        table.add_column(title, justify="right" if title == "seconds" else "left")
    for step in report.steps:
        shown = Text(step.conclusion, style=_STYLES[step.conclusion])
        table.add_row(step.step, step.target or "all", shown, f"{step.seconds:.1f}", Text(step.summary))
    console.print(table)
    for step in report.steps:
        blocking = [problem for problem in step.problems if problem.blocking]
        for problem in blocking[:MOST]:
            place = f"{problem.path}:{problem.line}: " if problem.path else ""
            text = f"  {place}{problem.message}"
            console.print(Text.assemble((problem.rule, "bold"), text), soft_wrap=True)
        if len(blocking) > MOST:
            console.print(Text(f"  ... and {len(blocking) - MOST} more of {step.step}", style="dim"))
    word = "interrupted" if report.interrupted else str(report.conclusion)
    tail = f": profile {report.profile}, {len(report.steps)} steps in {report.seconds:.0f} s"
    console.print(Text.assemble((word, _STYLES[report.conclusion]), tail))
