"""What runs left in ``build/``, as it is: a record that is missing or damaged is None."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate import history
from gate.history import Entry
from tools.files import json_or_none

#: Files in build/, by the names used here.
FILES = {
    "gate": "gate.json",
    "main": "summary.json",
    "steps": "gate-steps.json",
    "story": "story.json",
    "lint": "lint.json",
    "tests": "tests/summary.json",
    "formal": "formal/results.json",
    "sweep": "formal/sweep.json",
    "ports": "synth/ports.json",
    "fuzz": "fuzz/summary.json",
    "mutants": "mutate/report.json",
    "accuracy": "accuracy.json",
    "stages": "sim/stages.json",
    "area": "synth/area.json",
    "bench": "bench/bench.json",
}


@dataclass(frozen=True)
class Records:
    """The records by the names of `FILES`, the `past` gates, and the time `now`."""

    build: Path
    now: datetime.datetime
    by_name: dict[str, Any]
    past: Sequence[Entry] = ()

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name]

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The newer of the gate's verdict and that of the main job."""
        known = [one for one in (self["gate"], self["main"]) if isinstance(one, dict)]
        return max(known, key=lambda one: str(one.get("date", "")), default=None)

    def provenance(self, name: str) -> dict[str, Any]:
        """Commit, date and tools of a record, as far as it has them."""
        record = self[name]
        if name == "mutants" and isinstance(record, dict):
            record = record.get("config")
        if not isinstance(record, dict):
            return {}
        return {key: record[key] for key in ("commit", "date", "tools") if record.get(key)}


def read(build: Path, now: datetime.datetime, past: Path = history.FILE) -> Records:
    """All records in `build`."""
    by_name = {name: json_or_none(build / file) for name, file in FILES.items()}
    return Records(build, now, by_name, history.read(past))


def age(date: str, now: datetime.datetime) -> str:
    """How long ago `date` (ISO 8601) was, in words."""
    try:
        seconds = (now - datetime.datetime.fromisoformat(date)).total_seconds()
    except (TypeError, ValueError):
        return "of unknown age"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' * (count != 1)} old"
    return "less than a minute old"
