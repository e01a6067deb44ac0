"""Gaps as a page that links coverage.py's own pages."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

import coverage

from fuzz.gaps.model import Gap, GapsReport, percent
from fuzz.reports.gaps import in_order, near, told
from targets.errors import UsageError

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c1c1c}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}"
    "th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}"
    "code{font-size:13px}.failed{color:#a40000;font-weight:600}.passed{color:#0a6b2d}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}th,td{border-color:#3a3a3a}"
    "a{color:#8ab4f8}.failed{color:#ff8a80}.passed{color:#81c995}}"
)


def write_html(report: GapsReport, data: coverage.Coverage, files: Sequence[str], folder: Path) -> Path:
    """Write `index.html` and coverage.py's pages below `lines/`; the path of the index. Raises `UsageError`."""
    pages = folder / "lines"
    try:
        pages.mkdir(parents=True, exist_ok=True)
        data.html_report(directory=str(pages), morfs=[path for path in files if Path(path).read_bytes().strip()])
        index = folder / "index.html"
        index.write_text(page(report, _links(pages)), encoding="utf-8")
    except (OSError, coverage.CoverageException) as error:
        raise UsageError(f"The pages cannot be written to {folder}: {error}") from error
    return index


def page(report: GapsReport, links: dict[str, str]) -> str:
    """The index; `links` are from the end of a path to coverage.py's page of it."""
    title = f"Gaps of {html.escape(report.target)} on {html.escape(report.device)}"
    tiers = "".join(
        f"<tr><td>{html.escape(tier.name)}<td>{tier.files}<td>{percent(tier.lines)}<td>{percent(tier.branches)}"
        f"<td>{tier.minimum_lines:g} / {tier.minimum_branches:g}"
        f"<td class={'passed' if tier.passed else 'failed'}>{html.escape('; '.join(tier.reasons) or 'passed')}"
        for tier in report.tiers
    )
    rows = "".join(_row(gap, links) for gap in in_order(report))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{report.cases} cases, {len(report.properties)} properties, {html.escape(report.made)}. "
        f'<a href="lines/index.html">All modules, line by line</a></p>'
        f"<table><tr><th>tier<th>modules<th>lines<th>branches<th>minimum<th>verdict{tiers}</table>"
        f"<table><tr><th>where<th>tier<th>kind<th>function<th>code<th>nearest{rows}</table>"
    )


def _row(gap: Gap, links: dict[str, str]) -> str:
    link = next((page for path, page in links.items() if gap.path.endswith(path) or path.endswith(gap.path)), "")
    place = f"{html.escape(gap.path)}: {told(gap)}"
    where = f'<a href="lines/{link}#t{gap.line}">{place}</a>' if link else place
    cells = (gap.tier, str(gap.kind), gap.function or "the module")
    shown = "".join(f"<td>{html.escape(cell)}" for cell in cells)
    return f"<tr><td>{where}{shown}<td><code>{html.escape(gap.text)}</code><td>{html.escape(near(gap))}"


def _links(pages: Path) -> dict[str, str]:
    """Coverage.py's index of its own pages: file to page name."""
    status = json.loads((pages / "status.json").read_text(encoding="utf-8"))
    return {entry["index"]["file"]: entry["index"]["url"] for entry in status["files"].values()}
