"""The page: templates filled with the sections, everything inside one file."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gate.report import accuracy, fuzz, mutants, proofs, red, speed, suites, top, trends
from gate.report.records import Records, age
from tools.evidence import ROOT
from tools.templates import environment

_FOLDER = Path(__file__).parent / "templates"


def page(records: Records, *, viewer: Path | None = None, root: Path = ROOT) -> str:
    """The whole page; it depends on nothing but `records`, whose time is `Records.now`."""
    sections = [
        proofs.section(records), fuzz.section(records), suites.section(records),
        mutants.section(records, viewer), accuracy.section(records), speed.section(records),
        trends.section(records),
    ]  # fmt: skip
    return (
        _environment(records)
        .get_template("index.html.j2")
        .render(
            top=top.verdict(records),
            changes=top.changes(records),
            counts=top.counts(records),
            not_run=top.not_run(records, sections),
            cards=red.cards(records, root),
            red_lines=len(red.lines(records)),
            sections=sections,
            now=records.now.isoformat(timespec="seconds"),
            css=Markup((_FOLDER / "report.css").read_text("utf-8")),
            script=Markup((_FOLDER / "report.js").read_text("utf-8")),
        )
    )


def _environment(records: Records) -> jinja2.Environment:
    made = environment(_FOLDER, autoescape=True)
    made.filters["number"] = number
    made.filters["age"] = lambda date: age(date, records.now)
    return made


def number(value: Any) -> str:
    """About three digits, with thousands separators."""
    if value is None:
        return "-"
    if isinstance(value, int) or value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"
