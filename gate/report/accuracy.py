"""Golden against the float reference: KL of each token, errors by layer, magnitudes by format."""

from typing import Any

from markupsafe import Markup

from gate.report.plots import COLORS, INK, plot
from gate.report.records import Records
from gate.report.section import Section

_COMMAND = "python -m golden accuracy --json > build/accuracy.json"


def section(records: Records) -> Section:
    """The section of accuracy."""
    record = records["accuracy"]
    if not isinstance(record, dict) or not record.get("divergences"):
        return Section("accuracy", "Accuracy", _COMMAND, None)
    tensors = [
        {
            "name": name, **error,
            "format": "SQ({}, {})".format(*record["formats"][name]),
            "relative": error["worst"] / error["largest"] if error["largest"] else 0,
            "saturated": record["saturated"].get(name, 0),
        }
        for name, error in record["tensors"].items()
    ]  # fmt: skip
    data = {
        "record": record,
        "tensors": sorted(tensors, key=lambda one: -one["relative"]),
        "plots": [_divergences(record), _errors(record), _magnitudes(record)],
        "missing": [],
    }
    return Section("accuracy", "Accuracy", _COMMAND, data, records.provenance("accuracy"))


def _divergences(record: dict[str, Any]) -> Markup:
    values = record["divergences"]

    def draw(axes: Any) -> None:
        # Rounding may leave a KL of 0, or just below it.
        axes.plot([max(value, 1e-16) for value in values], ".", markersize=3)
        axes.axhline(record["kl_mean"], linestyle=":", color=COLORS[1], label="mean")
        axes.set(yscale="log", xlabel="token", ylabel="KL of golden from float, nats")
        axes.legend()

    return plot("kl", "KL divergence of each token", draw)


def _errors(record: dict[str, Any]) -> Markup:
    largest = {name: error["largest"] for name, error in record["tensors"].items()}

    def draw(axes: Any) -> None:
        for number, (name, errors) in enumerate(record["errors"].items()):
            layers = errors
            if name == "residual":  # embedding, after attention, after FFN: the last is shown
                layers = errors[1 + len(errors) // 2 :]
            if len(layers) > 1:
                relative = [error / largest[name] for error in layers]
                marker = "osv^D*Px<>"[number % 10]
                axes.plot(range(len(layers)), relative, marker=marker, label=name)
        axes.set(yscale="log", xlabel="layer", ylabel="worst error over largest value")
        axes.locator_params(axis="x", integer=True)
        axes.legend(ncols=5, bbox_to_anchor=(0.5, 1.0), loc="lower center", fontsize=7)

    return plot("errors", "Worst relative error of each tensor by layer", draw, height=3.4)


def _magnitudes(record: dict[str, Any]) -> Markup:
    """A histogram of each tensor over powers of two, above the range of its format."""
    names = list(record["magnitudes"])

    def draw(axes: Any) -> None:
        for row, name in enumerate(reversed(names)):
            counts = {int(power): n for power, n in record["magnitudes"][name].items()}
            most = max(counts.values())
            powers = sorted(counts)
            heights = [0.72 * counts[power] / most for power in powers]
            axes.bar(powers, heights, bottom=row, width=1, align="edge", color=COLORS[0])
            integer, fraction = record["formats"][name]
            axes.plot([-fraction, integer - 1], [row, row], "|-", color=COLORS[1], linewidth=2)
        axes.set_yticks(range(len(names)), list(reversed(names)))
        axes.set(xlabel="magnitude, as a power of two (bars); range of the format (lines)")
        axes.axvline(0, color=INK, linewidth=0.5)
        axes.grid(axis="y", visible=False)
        axes.set_ylim(-0.4, len(names))

    return plot("ranges", "Magnitudes of each tensor, and its format", draw, height=4.2)
