"""The plots, as reproducible SVG files."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth.cycles import Latencies, token_cycles
from benchmarks.growth.fit import Law
from benchmarks.growth.limits import Outlook
from benchmarks.growth.sweep import Measured
from tools.errors import BadInput
from tools.files import write_atomically

#: Text remains text, and ids do not depend on the time.
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "veridecode",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1,
    "lines.markersize": 4,
}
#: Number of markers on a line of positions.
_MARKERS = 12
#: Number of points of a law, and markers by quantity.
_SMOOTH, _SHAPES = 20, "osv^D*Px<>hd"


def _figure(path: Path, panels: int, draw: Callable[[Sequence[Any]], None]) -> None:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise BadInput("matplotlib is not installed, pip install matplotlib") from None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        draw(figure.subplots(1, panels, squeeze=False)[0])
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    # A precision of a tenth of a point is enough, and halves the file.
    write_atomically(path, re.sub(r"(\d\.\d)\d+", r"\1", svg.getvalue()))


def cycles(path: Path, sweeps: Mapping[str, Sequence[Measured]], latencies: Latencies) -> None:
    """Measured cycles as markers, the model as lines, by position: one panel per axis."""

    def draw(panels: Sequence[Any]) -> None:
        for panel, (axis, sweep) in zip(panels, sweeps.items(), strict=True):
            for measured in sweep:
                last = len(measured.cycles) - 1
                positions = np.unique(np.linspace(0, last, _MARKERS).astype(int))
                config = measured.config
                model = [token_cycles(config, int(pos), latencies) for pos in positions]
                (line,) = panel.plot(positions, model)
                simulated = [measured.cycles[pos] for pos in positions]
                panel.plot(positions, simulated, "o", color=line.get_color(), fillstyle="none")
                panel.annotate(f"{_value(measured, axis)}", (positions[-1], model[-1]))
            panel.set(title=f"by {axis}", xlabel="position", yscale="log")
        panels[0].set_ylabel("cycles a token")

    _figure(path, len(sweeps), draw)


def _value(measured: Measured, axis: str) -> int:
    shape = measured.config.shape
    return {
        "dim": shape.dim,
        "layers": shape.layers,
        "context": shape.seq_len,
        "lanes": measured.config.geometry.lanes,
    }[axis]


def _ticks(panel: Any, values: Sequence[int]) -> None:
    """Ticks at the measured values only."""
    panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    panel.set_xticks(values, [f"{value}" for value in values])


Points = Mapping[int, float]


def growth(path: Path, grown: Mapping[str, Mapping[str, tuple[Points, Law]]]) -> None:
    """Each quantity over an axis, relative to its first point, with its law; a panel per axis."""

    def draw(panels: Sequence[Any]) -> None:
        colors: dict[str, str] = {}  # the same for a quantity in every panel
        for panel, (axis, quantities) in zip(panels, grown.items(), strict=True):
            for quantity, (points, law) in quantities.items():
                x, y = np.array(list(points)), np.array(list(points.values()))
                color = colors.setdefault(quantity, f"C{len(colors)}")
                marker = _SHAPES[list(colors).index(quantity)]
                panel.plot(x, y / y[0], marker, color=color, label=quantity)
                smooth = np.geomspace(x[0], x[-1], _SMOOTH)
                panel.plot(smooth, law(smooth) / y[0], color=color)
            panel.set(title=f"by {axis}", xscale="log", yscale="log")
            _ticks(panel, sorted({value for points, _ in quantities.values() for value in points}))
        shown: dict[str, Any] = {}
        for panel in panels:
            handles, labels = panel.get_legend_handles_labels()
            shown |= dict(zip(labels, handles, strict=True))
        figure = panels[0].figure
        figure.legend(list(shown.values()), list(shown), loc="outside right", fontsize=7)
        panels[0].set_ylabel("relative to the smallest")

    _figure(path, len(grown), draw)


def limits(path: Path, outlooks: Sequence[Outlook]) -> None:
    """Tokens per second by lanes: a line per bandwidth, a panel per model."""
    names = list(dict.fromkeys(token.config.name for token in outlooks))

    def draw(panels: Sequence[Any]) -> None:
        for panel, name in zip(panels, names, strict=True):
            of_model = [token for token in outlooks if token.config.name == name]
            for memory in dict.fromkeys(token.memory for token in of_model):
                line = [token for token in of_model if token.memory == memory]
                panel.plot(
                    [token.config.geometry.lanes for token in line],
                    [token.tokens_per_s for token in line],
                    "o-",
                    label=f"{memory.bandwidth:g} GB/s",
                )
            panel.set(title=name, xlabel="lanes", xscale="log", yscale="log")
            _ticks(panel, sorted({token.config.geometry.lanes for token in of_model}))
            panel.legend(fontsize=7)
        panels[0].set_ylabel("tokens/s")

    _figure(path, len(names), draw)
