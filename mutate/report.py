"""What a campaign found: the kill matrix, the scores, cards of survivors, and a JSON report.

The report follows the schema of mutation-testing-elements, so that its viewers show it.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mutate.cases import DETECTORS, FORMAL, FUZZ, Case
from mutate.unit_tests import asked
from tools.files import write_atomically
from tools.sources import ROOT

_STATUS = {"KILLED": "Killed", "SURVIVOR": "Survived", "EQUIVALENT": "Ignored"}


def matrix(cases: Sequence[Case]) -> Table:
    """Kills by file and detector."""
    table = Table(title="Kills by file and detector")
    table.add_column("file")
    for heading in ("mutants", *DETECTORS, "equivalent", "survivors"):
        table.add_column(heading, justify="right")
    files: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        files[case.path].append(case)
    for path, rows in sorted(files.items()):
        table.add_row(path, *_counts(rows))
    table.add_section()
    table.add_row("all", *_counts(cases))
    return table


def _counts(cases: Sequence[Case]) -> list[str]:
    by_detector = [
        sum(any(kill.detector == name for kill in case.kills) for case in cases)
        for name in DETECTORS
    ]
    by_status = [sum(case.status == name for case in cases) for name in ("EQUIVALENT", "SURVIVOR")]
    return [str(count or "") for count in (len(cases), *by_detector, *by_status)]


def seconds(cases: Sequence[Case]) -> Table:
    """What a mutant costs, by detector."""
    table = Table(title="CPU seconds of each mutant that the detector was asked about")
    for heading in ("detector", "mutants", "mean", "longest", "sum"):
        table.add_column(heading, justify="left" if heading == "detector" else "right")
    for name in DETECTORS:
        times = [case.seconds[name] for case in cases if name in case.seconds]
        if times:
            numbers = (sum(times) / len(times), max(times), sum(times))
            table.add_row(name, str(len(times)), *(f"{number:.1f}" for number in numbers))
    return table


def scores(cases: Sequence[Case], *, every: bool) -> str:
    """The share of mutants that are killed, of those that are not equivalent."""
    judged = [case for case in cases if case.status != "EQUIVALENT"]
    if not judged:
        return "no score: no mutant that is not equivalent"

    def score(*detectors: str) -> str:
        killed = sum(any(kill.detector in detectors for kill in case.kills) for case in judged)
        return f"{100 * killed / len(judged):.1f} % ({killed} of {len(judged)})"

    lines = [f"score: {score(*DETECTORS)}"]
    if every:
        # What does not elaborate reaches neither proof nor simulation: it counts for both.
        lines += [
            f"formal alone: {score('elaboration', *FORMAL)}",
            f"fuzz alone: {score('elaboration', *FUZZ)}",
            f"both: {score('elaboration', *FORMAL, *FUZZ)}",
        ]
    return "\n".join(lines)


def card(case: Case) -> str:
    """All about one mutant, in a few lines of plain text."""
    change = case.change
    lines = [
        f"{case.status} {case.name}",
        f"  {case.path}:{change.line}: {case.reason}",
        *(f"  - {line}" for line in change.before.splitlines()),
        *(f"  + {line}" for line in change.after.splitlines()),
        f"  executed in: {', '.join(case.executed_in) or 'no netlist'}",
        f"  other netlist or values in: {', '.join(case.differs_in) or '-'}",
        f"  asked: {_asked(case)}",
    ]
    if case.status == "SURVIVOR":
        ought = [*case.theorems[:3], *asked(case.path)[:1]]
        lines.append(f"  ought to have seen it: {', '.join(ought) or 'nothing covers this file'}")
    return "\n".join(lines)


def _asked(case: Case) -> str:
    return ", ".join(f"{name} {case.seconds[name]:.1f} s" for name in case.asked) or "nobody"


def print_all(console: Console, cases: Sequence[Case], *, every: bool) -> None:
    """Matrix, costs, cards of survivors, scores."""
    console.print(matrix(cases))
    console.print(seconds(cases))
    for case in cases:
        if case.status == "SURVIVOR":
            console.print(card(case), highlight=False, markup=False)
    console.print(scores(cases, every=every), highlight=False)


def write(path: Path, cases: Sequence[Case], facts: dict[str, Any]) -> None:
    """Write the report; `facts` say how it was made."""
    files: dict[str, Any] = {}
    for case in cases:
        source = (ROOT / case.path).read_text("utf-8")
        entry = {"language": "python", "source": source, "mutants": []}
        files.setdefault(case.path, entry)["mutants"].append(_mutant(case))
    tests = [{"id": name, "name": name} for name in DETECTORS]
    report = {
        "schemaVersion": "2",
        "thresholds": {"high": 100, "low": 90},
        "files": files,
        "testFiles": {"mutate": {"tests": tests}},
        "framework": {"name": "veridecode mutate"},
        "config": facts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(report, indent=1) + "\n")


def _mutant(case: Case) -> dict[str, Any]:
    change = case.change
    return {
        "id": case.name,
        "mutatorName": case.mutant.operator if case.mutant else "control",
        "replacement": change.after,
        "location": {
            "start": {"line": change.line, "column": change.column},
            "end": {"line": change.end_line, "column": change.end_column},
        },
        "status": _STATUS[case.status],
        "statusReason": case.reason,
        "killedBy": [kill.detector for kill in case.kills],
        "coveredBy": case.asked,
        "duration": round(1000 * sum(case.seconds.values())),
    }
