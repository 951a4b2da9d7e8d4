"""Rolls statements that differ only in their operands into loops over arrays.

A decoder has many lanes, and CXXRTL writes a statement for each. Statements of the same form become
a loop, and the registers in the same position of that form become an array, so that the compiler
can use vector instructions. Names do not matter, only the form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sim.tune.guards import assign, set_lines
from sim.tune.statements import SIGNAL, Source, Statement

#: Fewest lanes for a loop.
SHORTEST = 4
_ITEM = re.compile(rf"\b({SIGNAL})(\.curr)?\b")
_Place = dict[str, tuple[int, int]]


@dataclass(frozen=True, eq=False)
class _Lane:
    """An assignment of `value`; `names` are its target and the signals and registers it reads."""

    statement: Statement
    value: str
    names: list[str]


def roll(source: Source) -> None:
    """Replace runs of statements of the same form by loops."""

    def kind(item: re.Match[str]) -> str:
        return f"${source.registers.get(item[1], 0)}$"

    forms: dict[str, list[_Lane]] = {}
    for statement in source.statements:
        if statement.assignment:
            target, value = statement.assignment
            names = [target, *(name for name, _ in _ITEM.findall(value))]
            form = _ITEM.sub(kind, f"{target} = {value}")
            forms.setdefault(form, []).append(_Lane(statement, value, names))
    large = [sorted(lanes, key=_numbers) for lanes in forms.values() if len(lanes) >= SHORTEST]
    place = _place(source, large)
    loops: dict[Statement, Statement | None] = {}
    used: set[int] = set()
    for lanes in large:
        for run in _runs(lanes, place):
            loops |= {lane.statement: None for lane in run}
            loops[run[0].statement] = _loop(run, place)
            used |= {place[one][0] for one, two in _columns(run) if one != two}
    for name, (array, index) in place.items():
        if array in used:
            source.elements[name] = f"vd_array_{array}[{index}]"
            source.arrays[f"vd_array_{array}"] = source.registers[name], index + 1
    new = (loops.get(statement, statement) for statement in source.statements)
    source.statements = [statement for statement in new if statement is not None]


def _numbers(lane: _Lane) -> list[int]:
    """A sort key that puts lane 10 after lane 9."""
    return [int(number) for number in re.findall(r"\d+", lane.names[0])]


def _place(source: Source, forms: list[list[_Lane]]) -> _Place:
    """Array and index of the registers that are in the same position of a form."""
    place: _Place = {}
    columns = (
        column for lanes in forms for column in zip(*(lane.names for lane in lanes), strict=True)
    )
    for array, names in enumerate(columns):
        free = set(names) & source.registers.keys() - source.ports - place.keys()
        if len(free) == len(names) and source.registers[names[0]] <= 64:
            place |= {name: (array, index) for index, name in enumerate(names)}
    return place


def _columns(run: list[_Lane]) -> Iterator[tuple[str, str]]:
    """The names of the first two lanes in each position."""
    return zip(run[0].names, run[1].names, strict=True)


def _runs(lanes: list[_Lane], place: _Place) -> Iterator[list[_Lane]]:
    """Runs of adjacent elements, whose operands stay the same or are adjacent, too."""
    run: list[_Lane] = [lanes[0]]
    steps: list[int | None] = []
    for before, lane in pairwise([*lanes, lanes[0]]):
        new = [_step(one, two, place) for one, two in zip(before.names, lane.names, strict=True)]
        if new[0] == 1 and None not in new and (len(run) == 1 or new == steps):
            run.append(lane)
            steps = new
            continue
        if len(run) >= SHORTEST and _ascends(run):
            yield run
        run = [lane]


def _step(one: str, two: str, place: _Place) -> int | None:
    """0 for the same name, 1 for the next element of an array, None for any other."""
    if one == two:
        return 0
    array, index = place.get(one, (-1, 0))
    return 1 if place.get(two) == (array, index + 1) else None


def _ascends(run: list[_Lane]) -> bool:
    """Whether no lane reads a register that an earlier lane has overwritten."""
    number = {lane.names[0]: n for n, lane in enumerate(run)}
    return all(number.get(name, n) >= n for n, lane in enumerate(run) for name in lane.names)


def _loop(run: list[_Lane], place: _Place) -> Statement:
    """One statement for `run`; conditions that are the same in all lanes are outside the loop."""
    moving = {one for one, two in _columns(run) if one != two}

    def element(name: str) -> str:
        array, index = place[name]
        return f"vd_array_{array}[{index} + n]"

    def operand(item: re.Match[str]) -> str:
        return f"{element(item[1])}()" if item[1] in moving else item[0]

    target = element(run[0].names[0])
    array, index = place[run[0].names[0]]
    elements = f"vd_lanes<{len(run)}>(&vd_array_{array}[{index}])"
    loop = Statement([], clocked=True, single=True, loop=elements)
    for lane in run:
        loop.writes |= lane.statement.writes
        loop.reads |= lane.statement.reads
    set_lines(
        loop,
        assign(
            _ITEM.sub(operand, run[0].value),
            f"{target}()",
            lambda value: f"for (size_t n = 0; n < {len(run)}; n++) {target} = {value};",
            splits=lambda condition, _: "+ n]" not in condition,
        ),
    )
    return loop
