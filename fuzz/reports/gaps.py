"""Gaps for people, and as annotations for code review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fuzz.gaps.model import Gap, GapKind, GapsReport, percent

MOST = 40
"""Gaps that the terminal shows; the JSON form holds all."""
_ORDER = (
    GapKind.PATH,
    GapKind.DEFAULT,
    GapKind.MODULE,
    GapKind.FUNCTION,
    GapKind.GUARD,
    GapKind.ERROR,
    GapKind.DEVICE,
)


def show_gaps(report: GapsReport, console: Console, most: int = MOST) -> None:
    """Print the tiers, the gaps (those of the most important tier first), what changed, and the verdict."""
    _show_tiers(report, console)
    _show_list(report, console, most)
    _show_changes(report, console)
    for note in report.notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    word, style = ("covered", "bold green") if report.passed else ("gaps", "bold red")
    count = len(report.gaps)
    tail = f": {count} gap{'' if count == 1 else 's'} in {len(report.files)} modules after {report.cases} cases"
    console.print(Text.assemble((word, style), tail))


def in_order(report: GapsReport) -> list[Gap]:
    """The gaps, the most telling first: by tier as listed, then by kind, then by place."""
    tiers = [tier.name for tier in report.tiers]
    return sorted(report.gaps, key=lambda gap: (tiers.index(gap.tier), _ORDER.index(gap.kind), gap.path, gap.line))


def told(gap: Gap) -> str:
    """`lines 12-15` or `branch 12 to 14`."""
    if gap.lines:
        first, last = gap.lines[0], gap.lines[-1]
        return f"line {first}" if first == last else f"lines {first}-{last}"
    (start, end), *_ = gap.branches
    return f"branch {start} to {'the exit' if end < 0 else end}"


def near(gap: Gap) -> str:
    """Who comes nearest, in words."""
    if not gap.nearest.line:
        return ""
    if not gap.nearest.properties:
        return f"line {gap.nearest.line}, at import or while loading"
    return f"line {gap.nearest.line}: {', '.join(gap.nearest.properties)} with {', '.join(gap.nearest.strategies)}"


def review_lines(report: GapsReport) -> Iterator[str]:
    """One line a gap in the workflow-command form that code review understands; opened ones count as errors."""
    opened = set(map(_place, report.changes.opened)) if report.changes else set()
    for gap in in_order(report):
        level = "error" if _place(gap) in opened else "warning"
        end = f",endLine={gap.lines[-1]}" if gap.lines else ""
        where = f" in {gap.function}" if gap.function else ""
        nearby = f"; nearest: {near(gap)}" if near(gap) else ""
        message = f"{told(gap)}{where} is not exercised ({gap.kind}, tier {gap.tier}){nearby}"
        yield f"::{level} file={_property(gap.path)},line={gap.line}{end},title=inferfuzz gap::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _place(gap: Gap) -> tuple[str, int]:
    return (gap.path, gap.line)


def _show_tiers(report: GapsReport, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("tier", "modules", "lines", "branches", "minimum", ""):
        table.add_column(title, justify="right" if title in ("modules", "lines", "branches", "minimum") else "left")
    for tier in report.tiers:
        least = f"{tier.minimum_lines:g} / {tier.minimum_branches:g}"
        verdict = Text("passed", style="green") if tier.passed else Text("; ".join(tier.reasons), style="bold red")
        table.add_row(tier.name, str(tier.files), percent(tier.lines), percent(tier.branches), least, verdict)
    console.print(table)


def _show_list(report: GapsReport, console: Console, most: int) -> None:
    ordered = in_order(report)
    for gap in ordered[:most]:
        where = f"{gap.path}:{gap.line}"
        head = f"  {gap.kind} in {gap.function or 'the module'}, {told(gap)}: {gap.text}"
        console.print(Text.assemble((where, "bold"), f" [{gap.tier}]", head), soft_wrap=True)
        if near(gap):
            console.print(Text(f"    nearest {near(gap)}", style="dim"), soft_wrap=True)
    if len(ordered) > most:
        console.print(Text(f"... and {len(ordered) - most} more (--all shows them)", style="dim"))


def _show_changes(report: GapsReport, console: Console) -> None:
    if report.changes is None:
        console.print(Text("no baseline was accepted yet; --accept makes this one", style="dim"))
        return
    _show_places("opened", report.changes.opened, "red", console)
    _show_places("closed", report.changes.closed, "green", console)
    _show_places("moved", [after for _, after in report.changes.moved], "dim", console)


def _show_places(word: str, gaps: Sequence[Gap], style: str, console: Console) -> None:
    if gaps:
        places = ", ".join(f"{gap.path}:{gap.line}" for gap in gaps[:10])
        more = f" and {len(gaps) - 10} more" if len(gaps) > 10 else ""
        console.print(Text(f"{word}: {len(gaps)} ({places}{more})", style=style), soft_wrap=True)
