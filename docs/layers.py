"""Layered drawing of a directed graph (Sugiyama): ranks, order within a rank, places.

Cycles are cut at the edges that lead back in a depth-first search; an edge over several ranks gets
a point in each.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: Sweeps down and up that order the nodes of each rank, and then those that only place them.
ORDERING, PLACING = 8, 8

Edge = tuple[str, str]
#: A node, or the point of an edge in a rank between those of its ends.
Point = str | tuple[Edge, int]


@dataclass(frozen=True)
class Layers:
    """`ranks`: the points of each, from left to right; `x` of every point, in units of `width`;
    `forward` edges as points, and the edges that lead `back`."""

    ranks: Sequence[Sequence[Point]]
    x: Mapping[Point, float]
    forward: Mapping[Edge, Sequence[Point]]
    back: Sequence[Edge]


def layers(edges: Iterable[Edge], width: float, gap: float) -> Layers:
    """Places for nodes of `width`, `gap` apart."""
    edges = list(edges)
    back = _back(edges)
    rank = _ranks([edge for edge in edges if edge not in back])
    forward: dict[Edge, list[Point]] = {}
    rows: list[list[Point]] = [[] for _ in range(max(rank.values()) + 1)]
    for node, level in rank.items():
        rows[level].append(node)
    for edge in edges:
        if edge not in back:
            between = [(edge, level) for level in range(rank[edge[0]] + 1, rank[edge[1]])]
            for point in between:
                rows[point[1]].append(point)
            forward[edge] = [edge[0], *between, edge[1]]
    above: dict[Point, list[Point]] = defaultdict(list)
    below: dict[Point, list[Point]] = defaultdict(list)
    for points in forward.values():
        for a, b in itertools.pairwise(points):
            below[a].append(b)
            above[b].append(a)
    places = _places(rows, above, below, width, gap)
    return Layers(rows, places, forward, [edge for edge in edges if edge in back])


def _back(edges: Sequence[Edge]) -> set[Edge]:
    """The edges that close a cycle in a depth-first search, in the order of `edges`."""
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        after[source].append(target)
    back: set[Edge] = set()
    done: set[str] = set()

    def visit(node: str, path: tuple[str, ...]) -> None:
        done.add(node)
        for target in after[node]:
            if target in path:
                back.add((node, target))
            elif target not in done:
                visit(target, (*path, target))

    entered = {target for _, target in edges}
    for node in sorted(after, key=lambda node: node in entered):
        if node not in done:
            visit(node, (node,))
    return back


def _ranks(edges: Sequence[Edge]) -> dict[str, int]:
    """The longest path to each node; a node that nothing leads to stands just before its next."""
    rank = dict.fromkeys((node for edge in edges for node in edge), 0)
    for _ in rank:
        for source, target in edges:
            rank[target] = max(rank[target], rank[source] + 1)
    entered = {target for _, target in edges}
    for node in rank.keys() - entered:
        rank[node] = min(rank[target] for source, target in edges if source == node) - 1
    return rank


def _places(
    rows: list[list[Point]],
    above: Mapping[Point, Sequence[Point]],
    below: Mapping[Point, Sequence[Point]],
    width: float,
    gap: float,
) -> dict[Point, float]:
    """x of every point, near the mean of its neighbours; sorts the rows by it.

    Sweeps down look at the neighbours above, sweeps up at those below.
    """
    x = {point: n * (width + gap) for row in rows for n, point in enumerate(row)}
    size = {point: width if isinstance(point, str) else gap for point in x}
    for sweep in range(ORDERING + PLACING):
        beside, order = (below, reversed(rows)) if sweep % 2 else (above, iter(rows))
        for row in order:
            wanted = {
                point: sum(x[other] for other in beside[point]) / len(beside[point])
                if beside[point]
                else x[point]
                for point in row
            }
            if sweep < ORDERING:
                row.sort(key=lambda point: wanted[point])
            for point, place in zip(row, _apart(row, wanted, size, gap), strict=True):
                x[point] = place
    return x


def _apart(
    row: Sequence[Point], wanted: Mapping[Point, float], size: Mapping[Point, float], gap: float
) -> list[float]:
    """The wanted places, moved apart evenly to both sides."""
    steps = [(size[a] + size[b]) / 2 + gap for a, b in itertools.pairwise(row)]
    right = [wanted[point] for point in row]
    left = list(right)
    for n, step in enumerate(steps):
        right[n + 1] = max(right[n + 1], right[n] + step)
    for n, step in reversed(list(enumerate(steps))):
        left[n] = min(left[n], left[n + 1] - step)
    return [(a + b) / 2 for a, b in zip(left, right, strict=True)]
