"""Plots by matplotlib, as SVG in the page: the colours of text and lines are those of the page, in
light and in dark, and the same data give the same bytes."""

import io
import re
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from tools.errors import BadInput

#: The series' colours, in order: the page's CSS defines them for light and dark.
COLORS = [f"#0000c{number}" for number in range(1, 10)]
#: What is drawn in the colour of the text, and in that of the page.
INK, PAPER = "#000001", "#000002"
GOOD, BAD = "#00ff01", "#ff0001"

_CSS = {
    **{color: f"var(--c{number})" for number, color in enumerate(COLORS, 1)},
    INK: "currentColor", PAPER: "var(--paper)", GOOD: "var(--good)", BAD: "var(--bad)",
}  # fmt: skip
#: Small enough to be read at the width of a phone.
WIDTH, HEIGHT = 5.4, 3.0

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.2,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.transparent": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color",
         "grid.color"), INK,
    ),
}  # fmt: skip


def plot(name: str, title: str, draw: Callable[[Any], None], *, height: float = HEIGHT) -> Markup:
    """The figure that ``draw(axes)`` fills, with `title` for those who cannot see it."""
    try:
        import matplotlib
        from cycler import cycler
        from matplotlib.figure import Figure
    except ImportError:
        raise BadInput("matplotlib is not installed, pip install matplotlib") from None
    style = {"svg.hashsalt": name, "axes.prop_cycle": cycler(color=COLORS), **_STYLE}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"(\d\.\d)\d+", r"\1", svg)
    # Ids are of the whole page.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", svg).replace("font-family: inherit", "")
    for color, css in _CSS.items():
        svg = svg.replace(color, css)
    # Not as wide as the page: wider than drawn, text would be larger than the page's.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    label = Markup('<svg role="img" aria-label="{}"').format(title)
    return Markup(svg.replace("<svg", str(label), 1))
