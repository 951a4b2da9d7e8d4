"""Proofs by family and configuration, the slowest first."""

from collections import Counter, defaultdict
from typing import Any

from markupsafe import Markup

from gate.report.plots import plot
from gate.report.records import Records
from gate.report.section import Section

RUNS = ("proof", "confirmation", "cover", "bug")
_COMMAND = "nox -s formal -- --all"


def section(records: Records) -> Section:
    """The section of proofs."""
    record = records["formal"]
    made = records.provenance("formal")
    results = record.get("results") if isinstance(record, dict) else None
    if not results:
        return Section("proofs", "Proofs", _COMMAND, None)
    slowest = sorted(results, key=lambda one: (-one["seconds"], one["id"], one["config"]))
    red = sum(one["status"] != "PASS" for one in results)
    data: dict[str, Any] = {
        "results": slowest,
        "red": red,
        "confirmed": sum(bool(one["confirmed_by"]) for one in results),
        "seconds": sum(one["seconds"] for one in results),
        "tier": record.get("tier"),
        "absent": record.get("missing", []),
        **_matrix(results),
        "plot": _seconds(results),
        "missing": [],
    }
    return Section("proofs", "Proofs", _COMMAND, data, made)


def _matrix(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Families and configurations, those with most results first, and what each cell has."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in results:
        cells[one["family"], one["config"]].update(
            {"all": 1, "red": int(one["status"] != "PASS"), "seconds": one["seconds"]}
        )
    families = Counter(one["family"] for one in results)
    configs = Counter(one["config"] for one in results)
    return {
        "families": [name for name, _ in families.most_common()],
        "configs": [name for name, _ in configs.most_common()],
        "cells": {f"{family} {config}": cell for (family, config), cell in cells.items()},
    }


def _seconds(results: list[dict[str, Any]]) -> Markup:
    """Seconds of each family, by run."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for one in results:
        for run in RUNS:
            sums[one["family"]][run] += (one.get(run) or {}).get("seconds", 0)
    families = sorted(sums, key=lambda name: sums[name].total())

    def draw(axes: Any) -> None:
        left = [0.0] * len(families)
        labels = {"confirmation": "second engine", "bug": "planted bug"}
        for run in RUNS:
            widths = [sums[name][run] for name in families]
            axes.barh(families, widths, left=left, label=labels.get(run, run), height=0.7)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_xlabel("seconds of CPU time, without the cache")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower right")

    return plot("proofs", "Seconds of the proofs by family", draw, height=3.4)
