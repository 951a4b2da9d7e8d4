"""Trends: figures of earlier gates."""

from typing import Any

from markupsafe import Markup

from gate.history import FILE
from gate.report.plots import BAD, GOOD, plot
from gate.report.records import Records
from gate.report.section import Section
from tools.evidence import ROOT

#: Figures that are drawn, and the number of gates in the table.
DRAWN = (
    "proofs", "seconds of proofs", "tests", "values compared", "cover points",
    "cycles a token of the story", "tokens/s of the story", "seconds of the gate",
)  # fmt: skip
ROWS = 20
_COMMAND = "nox -s gate"


def section(records: Records) -> Section:
    """The section of trends."""
    past = list(records.past)
    file = FILE.relative_to(ROOT).as_posix()
    if not past:
        why = f"no gate in {file}"
        return Section("trends", "History", _COMMAND, None, why=why)
    names = [name for name in DRAWN if any(name in entry.figures for entry in past)]
    data = {
        "file": file,
        "plots": [_trend(past, name) for name in names] if len(past) > 1 else [],
        "entries": past[-ROWS:][::-1],
        "count": len(past),
        "missing": [],
    }
    return Section("trends", "History", _COMMAND, data)


def _trend(past: list[Any], name: str) -> Markup:
    def draw(axes: Any) -> None:
        known = [(n, entry) for n, entry in enumerate(past) if name in entry.figures]
        axes.plot([n for n, _ in known], [entry.figures[name] for _, entry in known])
        for ok, color in ((True, GOOD), (False, BAD)):
            of = [(n, entry.figures[name]) for n, entry in known if entry.ok is ok]
            axes.plot([n for n, _ in of], [y for _, y in of], "o" if ok else "X", color=color)
        axes.set(title=name)
        axes.set_xticks([0, len(past) - 1], [past[0].date[:10], past[-1].date[:10]])
        axes.margins(0.1)

    return plot(f"trend-{name.replace(' ', '-').replace('/', '-')}", name, draw, height=2.0)
