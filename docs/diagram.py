"""The block diagram, drawn from what the decoder connects."""

import inspect
import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from design.decoder import Decoder
from docs.connections import Connection, connections
from docs.layers import Edge, Layers, Point, layers
from spec.config import Config, named
from tools.sources import ROOT
from tools.templates import environment

#: The picture of the README.
PICTURE = ROOT / "docs" / "decoder.svg"
#: The configuration that it shows.
SHOWN = "stories260k"

#: Sizes of a box, between boxes, from rank to rank, and between the lanes of edges that lead back.
WIDTH, HEIGHT, GAP, STEP, LANE = 116, 26, 14, 58, 14
#: Between edges that begin or end at one box.
PITCH = 14


@dataclass(frozen=True)
class Box:
    """A part, at its middle."""

    name: str
    x: float
    y: float
    is_stream: bool
    title: str


@dataclass(frozen=True)
class Line:
    """A connection as an SVG path, labelled with its bits at (x, y)."""

    path: str
    bits: int
    x: float
    y: float


def picture(config: Config | None = None) -> str:
    """The diagram as SVG."""
    config = config or named(SHOWN)
    decoder = Decoder(config)
    edges = {(each.source, each.target): each for each in connections(decoder)}
    placed = layers(edges, WIDTH, GAP)
    left = min(placed.x.values()) - WIDTH / 2
    targets = list(dict.fromkeys(target for _, target in placed.back))
    shift = 20 + LANE * len(targets) - left
    x = {point: place + shift for point, place in placed.x.items()}
    y = {node: 24 + STEP * n for n, row in enumerate(placed.ranks) for node in row}
    boxes = [
        Box(point, x[point], y[point], point not in decoder.parts, _sentence(decoder, point))
        for point in x
        if isinstance(point, str)
    ]
    ends = _ends(placed, x)
    lines = [_forward(edges[edge], placed, ends, x, y) for edge in placed.forward]
    lines += [_back(edges[edge], targets.index(edge[1]), x, y) for edge in placed.back]
    templates = environment(Path(__file__).parent, autoescape=True, keep_trailing_newline=True)
    template = templates.get_template("diagram.svg.j2")
    size = (max(x.values()) + WIDTH / 2 + 10, max(y.values()) + 40)
    return template.render(
        boxes=boxes, lines=lines, size=size, wide=WIDTH, tall=HEIGHT, name=config.describe()
    )


def _sentence(decoder: Decoder, name: str) -> str:
    """The first sentence of a part's docstring."""
    part: Any = decoder.parts.get(name)
    return (inspect.getdoc(type(part)) or "").split("\n\n")[0] if part else f"stream {name}"


def _ends(placed: Layers, x: Mapping[Point, float]) -> Mapping[tuple[Edge, bool], float]:
    """Where on its boxes each edge begins (False) and ends (True), side by side."""
    beside: dict[tuple[Point, bool], list[tuple[float, Edge]]] = defaultdict(list)
    for edge, points in placed.forward.items():
        beside[points[0], False].append((x[points[1]], edge))
        beside[points[-1], True].append((x[points[-2]], edge))
    return {
        (edge, is_end): x[point] + PITCH * (n - (len(others) - 1) / 2)
        for (point, is_end), others in beside.items()
        for n, (_, edge) in enumerate(sorted(others))
    }


def _forward(of: Connection, placed: Layers, ends: Any, x: Any, y: Any) -> Line:
    """A curve down through the points of the edge."""
    edge = of.source, of.target
    points = placed.forward[edge]
    begin = ends[edge, False], y[points[0]] + HEIGHT / 2
    end = ends[edge, True], y[points[-1]] - HEIGHT / 2 - 6
    corners = [begin, *((x[point], y[point]) for point in points[1:-1]), end]
    path = f"M{begin[0]:.0f} {begin[1]:.0f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        middle = (y0 + y1) / 2
        path += f"C{x0:.0f} {middle:.0f} {x1:.0f} {middle:.0f} {x1:.0f} {y1:.0f}"
    (x0, y0), (x1, y1) = corners[-2:]
    return Line(path, of.bits, (x0 + x1) / 2 + 4, (y0 + y1) / 2 - 2)


def _back(of: Connection, number: int, x: Any, y: Any) -> Line:
    """From below the source to its lane at the left, up, and into the target from the side."""
    lane = 10 + LANE * number
    x0, y0 = x[of.source] - WIDTH / 2 + 12, y[of.source] + HEIGHT / 2
    x1, y1 = x[of.target] - WIDTH / 2 - 6, y[of.target]
    below = y0 + 10 + 5 * number
    path = f"M{x0:.0f} {y0:.0f}V{below:.0f}H{lane:.0f}V{y1:.0f}H{x1:.0f}"
    return Line(path, of.bits, x0 + 3, y0 + 9)
