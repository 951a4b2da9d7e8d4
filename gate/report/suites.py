"""Everything else that the gate runs: steps, tests, RAM ports, sweep."""

from collections import defaultdict
from typing import Any

from gate.report.records import Records
from gate.report.section import Section

#: The slowest tests that are listed.
SLOWEST = 25
_COMMAND = "nox -s gate"


def section(records: Records) -> Section:
    """The section of the other parts."""
    steps, tests, ports, sweep = (records[name] for name in ("steps", "tests", "ports", "sweep"))
    cases = tests.get("cases", []) if isinstance(tests, dict) else []
    verdicts = ports.get("verdicts", []) if isinstance(ports, dict) else []
    swept = sweep.get("results", []) if isinstance(sweep, dict) else []
    wanted = (
        ("steps of the gate", "nox -s gate", steps),
        ("unit tests", "nox -s tests", cases),
        ("RAM ports", "nox -s ports", verdicts),
        ("random configurations of the proofs", "nox -s sweep", swept),
    )
    missing = [(what, command) for what, command, record in wanted if not record]
    if len(missing) == len(wanted):
        return Section("tests", "Tests, RAM ports, sweep", _COMMAND, None)
    data = {
        "steps": steps if isinstance(steps, list) else [],
        "folders": _folders(cases),
        "slowest": sorted(cases, key=lambda case: -case["seconds"])[:SLOWEST],
        "ports": verdicts,
        "swept": sorted(swept, key=lambda one: (one["red"] is None, one["id"])),
        "seed": (sweep or {}).get("seed"),
        "missing": missing,
    }
    return Section("tests", "Tests, RAM ports, sweep", _COMMAND, data, records.provenance("tests"))


def _folders(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    folders: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"passed": 0, "skipped": 0, "red": 0, "seconds": 0.0}
    )
    for case in cases:
        row = folders[case["test"].partition("::")[0].rpartition("/")[0]]
        outcome = case["outcome"] if case["outcome"] in ("passed", "skipped") else "red"
        row[outcome] += 1
        row["seconds"] += case["seconds"]
    return [{"folder": name, **row} for name, row in sorted(folders.items())]
