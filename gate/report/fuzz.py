"""Fuzzing: values compared, shapes drawn, cover points, and their growth in executions."""

from collections import Counter
from typing import Any

from markupsafe import Markup

from gate.manifest import cover_points
from gate.report.plots import COLORS, plot
from gate.report.records import Records
from gate.report.section import Section

_COMMAND = "nox -s fuzz -- --profile ci"
#: Pairs of sizes that are drawn against each other.
SPACE = (
    ("dim", "hidden"), ("heads", "kv_heads"), ("seq_len", "vocab"), ("lanes", "layers"),
)  # fmt: skip


def section(records: Records) -> Section:
    """The section of the fuzzing."""
    record = records["fuzz"]
    if not isinstance(record, dict) or not record.get("cases"):
        return Section("fuzz", "Fuzzing", _COMMAND, None)
    cases = [case for case in record["cases"] if case.get("examples")]
    reached, must = set(record.get("reached", ())), cover_points()
    drawn = [shape for case in cases for shape in case.get("drawn", ())]
    data = {
        "profile": record.get("profile"),
        "examples": record.get("examples", 0),
        "values": record.get("values", 0),
        "steps": record.get("steps", 0),
        "cases": sorted(cases, key=lambda case: -case["seconds"]),
        "missed": sorted(must - reached),
        "reached": sorted(reached),
        "beyond": sorted(reached - must),
        "growth": _growth(cases),
        "space": _space(drawn) if drawn else [],
        "variants": _variants(drawn),
        "shapes": len({tuple(sorted((k, str(v)) for k, v in one.items() if k != "examples"))
                       for one in drawn}),
        "missing": [] if drawn else [("shapes drawn and growth, of the fuzzing", _COMMAND)],
    }  # fmt: skip
    return Section("fuzz", "Fuzzing", _COMMAND, data, records.provenance("fuzz"))


def _growth(cases: list[dict[str, Any]]) -> Markup | None:
    """How many cover points the first n examples of every test reach together."""
    first: dict[str, int] = {}
    for case in cases:
        for point, example in case.get("first", {}).items():
            first[point] = min(example, first.get(point, example))
    if not first:
        return None
    examples = sorted(first.values())
    last = max(case["examples"] for case in cases)

    def draw(axes: Any) -> None:
        x = [*examples, max(last, examples[-1])]
        axes.step(x, [*range(1, len(examples) + 1), len(examples)], where="post")
        axes.axhline(len(cover_points()), linestyle=":", color=COLORS[1])
        axes.annotate("required", (1, len(cover_points())), va="bottom", fontsize=8)
        axes.set(xscale="log", xlabel="examples of each test", ylabel="cover points reached")
        axes.set_ylim(bottom=0, top=1.12 * max(len(first), len(cover_points())))

    return plot("growth", "Cover points reached, by number of examples", draw)


def _space(drawn: list[dict[str, Any]]) -> list[Markup]:
    """Where in the space of shapes the examples lie: their number is the area of a dot."""

    def of(x_name: str, y_name: str) -> Markup:
        counts: Counter[tuple[int, int]] = Counter()
        for shape in drawn:
            counts[shape[x_name], shape[y_name]] += shape["examples"]
        points = sorted(counts)

        def draw(axes: Any) -> None:
            most = max(counts.values())
            sizes = [12 + 160 * counts[point] / most for point in points]
            axes.scatter(
                [x for x, _ in points], [y for _, y in points], sizes, alpha=0.6, linewidth=0
            )
            axes.set(xlabel=x_name.replace("_", " "), ylabel=y_name.replace("_", " "))
            if x_name == "lanes":
                axes.set_xscale("log", base=2)
            axes.margins(0.1)

        title = f"Shapes drawn: {y_name} by {x_name}"
        return plot(f"space-{x_name}", title, draw, height=2.4)

    return [of(x, y) for x, y in SPACE]


def _variants(drawn: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Examples by variant."""
    names = ("cache", "rope", "rounding", "weight_bits", "residual")
    table = []
    for name in names:
        counts: Counter[str] = Counter()
        for shape in drawn:
            counts[str(shape.get(name, "?"))] += shape["examples"]
        if counts:
            table.append((name.replace("_", " "), counts.most_common()))
    return table
