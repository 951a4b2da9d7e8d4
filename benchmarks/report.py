"""Results of benchmarks: rows with targets, as a table and as JSON."""

import dataclasses
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from tools.files import write_atomically
from tools.provenance import provenance

#: Version of the JSON; incremented for incompatible changes.
SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One measured figure.

    `value` is None if it could not be measured; `note` is then the reason. `at_least` and `at_most`
    are the target, if any.
    """

    topic: str
    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a value."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        """The target as text."""
        if self.at_least is not None and self.at_most is not None:
            return f"{number(self.at_least)} to {number(self.at_most)}"
        limits = (("at least", self.at_least), ("at most", self.at_most))
        return "".join(f"{word} {number(limit)}" for word, limit in limits if limit is not None)


def number(value: float | None) -> str:
    """About four digits, with thousands separators."""
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def table(rows: Iterable[Row]) -> Table:
    """One line per row, with a rule between topics."""
    result = Table("what", "figure", "unit", "target", "met", "note")
    result.columns[0].no_wrap = True
    result.columns[1].justify = "right"
    topic = None
    for row in rows:
        if row.topic != topic:
            if topic is not None:
                result.add_section()
            result.add_row(f"[bold]{row.topic}[/bold]")
            topic = row.topic
        met = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[row.met]
        result.add_row(row.name, number(row.value), row.unit, row.target, met, row.note)
    return result


def as_json(rows: Iterable[Row]) -> str:
    """The rows, with whether each target is met, and the machine."""
    machine = {"processor": _processor(), "python": platform.python_version()}
    listed = [dataclasses.asdict(row) | {"met": row.met} for row in rows]
    content = {**provenance(), "schema": SCHEMA, "machine": machine, "rows": listed}
    return json.dumps(content, indent=2) + "\n"


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write :func:`as_json` to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, as_json(rows))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
