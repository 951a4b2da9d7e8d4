"""Speed and area: cycles a token, where they go, and differences from the baseline."""

from typing import Any

from markupsafe import Markup

from gate.report.plots import plot
from gate.report.records import Records
from gate.report.section import Section
from sim.cycles import accepted
from synth.baseline import FIGURES, kept, key, read_baseline
from synth.devices import RESOURCES

_STAGES = "python -m sim cycles --stages"
_AREA, _BENCH = "nox -s synth", "nox -s bench"


def section(records: Records) -> Section:
    """The section of speed and area."""
    stages, area, bench = (records[name] for name in ("stages", "area", "bench"))
    cycles = accepted()
    differences = _area(area["records"]) if isinstance(area, dict) and "records" in area else []
    rows = bench.get("rows", []) if isinstance(bench, dict) else []
    wanted = (
        ("where the cycles of a token go", _STAGES, stages),
        ("area of this version", _AREA, differences),
        ("figures of speed", _BENCH, rows),
    )
    data = {
        "cycles": [(name, sum(of) / len(of), of[0], of[-1]) for name, of in cycles.items()],
        "plots": [_cycles(cycles)] + ([_stages(stages)] if stages else []),
        "stages": stages,
        "area": differences,
        "bench": rows,
        "machine": (bench or {}).get("machine", {}),
        "made_of": {name: records.provenance(name) for name in ("stages", "area", "bench")},
        "missing": [(what, command) for what, command, record in wanted if not record],
    }
    return Section("speed", "Speed and area", _STAGES, data)


def _cycles(cycles: dict[str, list[int]]) -> Markup:
    def draw(axes: Any) -> None:
        for name, values in cycles.items():
            axes.plot(range(1, len(values) + 1), values, label=name)
        axes.set(xlabel="position", ylabel="cycles a token", yscale="log", xscale="log")
        axes.legend()

    return plot("cycles", "Cycles of a token by position", draw)


def _stages(record: dict[str, Any]) -> Markup:
    stages = record["stages"]
    total = sum(map(sum, stages.values()))
    large = {name: of for name, of in stages.items() if sum(of) >= 0.01 * total}
    small = [of for name, of in stages.items() if name not in large]
    rest = [sum(column) for column in zip(*small, strict=True)]

    def draw(axes: Any) -> None:
        layers = large | ({"other": rest} if rest else {})
        x = range(len(next(iter(layers.values()))))
        axes.stackplot(x, layers.values(), labels=list(layers), alpha=0.85)
        axes.set(xlabel="position", ylabel="cycles a token", title=record["name"])
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
        axes.margins(x=0)

    return plot("stages", f"Cycles by stage of {record['name']}", draw)


def _area(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each figure beside that of the baseline."""
    baseline = read_baseline()
    table = []
    for record in records:
        old, new = baseline.get(key(record), {}), kept(record)
        for name in (*RESOURCES, *FIGURES):
            if name in new:
                before = old.get(name)
                change = 100 * (new[name] / before - 1) if before else None
                table.append(
                    {"what": key(record), "figure": name.replace("_", " "), "before": before,
                     "now": new[name], "change": change}
                )  # fmt: skip
    return table
