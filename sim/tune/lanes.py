"""Rolls statements that differ only in their operands into loops over arrays.

A decoder has many lanes, and CXXRTL writes a statement for each. Statements of the same form become
a loop, and the registers in the same position of that form become an array, so that the compiler
can use vector instructions. If the statements share conditions, but not all operands are adjacent,
they become one `if` with loops in the branches where that is possible. Names do not matter, only
the form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from sim.tune.guards import assign, take_guard
from sim.tune.statements import SIGNAL, Source, Statement

#: Fewest lanes for a loop.
SHORTEST = 4
_ASSIGN = re.compile(rf"^\t({SIGNAL})\.next = (.*);$")
_ITEM = re.compile(rf"\b{SIGNAL}\.curr\b|\b{SIGNAL}\.slice<\d+,\d+>\(\)|\b{SIGNAL}\b")
_MARK = re.compile(r"\$\d+\$")
_SLICE = re.compile(rf"({SIGNAL})\.slice<(\d+),(\d+)>\(\)")


class _Step(Enum):
    """The operand of the next lane: the same, the next element of an array, or another one."""

    STAYS, FOLLOWS, VARIES = range(3)


@dataclass(frozen=True, eq=False)
class _Lane:
    """An assignment of `value`, whose operands are `items`, to `target`."""

    statement: Statement
    target: str
    value: str
    items: list[str]

    @property
    def reads(self) -> list[str]:
        return [item.removesuffix(".curr") for item in self.items]


class Arrays:
    """The array and element that each register becomes. The element type follows from its width."""

    def __init__(self, source: Source):
        self.source = source
        self.place: dict[str, tuple[int, int]] = {}
        self.members: list[list[str]] = []

    def add(self, names: list[str]) -> None:
        """Make `names` adjacent elements, if their widths agree and none is elsewhere already."""
        registers, ports = self.source.registers, self.source.ports
        widths = {registers.get(name, 0) for name in names}
        if len(set(names)) < len(names) or len(widths) > 1 or not 0 < max(widths) <= 64:
            return
        if ports.intersection(names):
            return
        placed = [self.place[name] for name in names if name in self.place]
        if not placed:
            self.members.append([])
            number = len(self.members) - 1
        else:
            # Extends an array at its end, as in a shift register.
            number, first = placed[0]
            known = [(number, first + n) for n in range(len(placed))]
            if placed != known or first + len(placed) != len(self.members[number]):
                return
            if any(name not in self.place for name in names[: len(placed)]):
                return
        for name in names[len(placed) :]:
            self.place[name] = (number, len(self.members[number]))
            self.members[number].append(name)

    def keep(self, used: set[str]) -> None:
        """Drop arrays without a `used` element."""
        numbers = {self.place[name][0] for name in used if name in self.place}
        self.place = {name: place for name, place in self.place.items() if place[0] in numbers}

    def bits(self, name: str) -> int:
        return self.source.registers[name]

    def element(self, name: str, suffix: str = "") -> str:
        number, index = self.place[name]
        return f"vd_array_{number}[{index}{suffix}]"

    def declarations(self) -> str:
        lines = []
        for number, names in enumerate(self.members):
            if names[0] not in self.place:
                continue
            bits = self.bits(names[0])
            size = next(size for size in (8, 16, 32, 64) if bits <= size)
            lines.append(f"\talignas(64) uint{size}_t vd_array_{number}[{len(names)}];\n")
        return "".join(lines)

    def rewrite(self, text: str) -> str:
        """`text` with the registers of arrays replaced by their elements."""
        place = self.place

        def write(match: re.Match[str]) -> str:
            name = match[2]
            if name not in place:
                return match[0]
            value = match[4] or f"{match[3]}.curr"
            return (
                f"{match[1]}{self.element(name)} = vd_unsigned(value<{self.bits(name)}>({value}));"
            )

        def read(match: re.Match[str]) -> str:
            name = match[1]
            if name not in place:
                return match[0]
            return f"vd_exact<{self.bits(name)}>({self.element(name)})"

        # Assignments of reset() and of eval().
        text = re.sub(
            rf"^(\t*)({SIGNAL})(?: = (wire<\d+>\{{[^;]*\}})|\.curr = ([^;]*));$",
            write,
            text,
            flags=re.M,
        )
        text = re.sub(
            rf"^\twire<\d+> ({SIGNAL});\n",
            lambda match: "" if match[1] in place else match[0],
            text,
            flags=re.M,
        )
        return re.sub(rf"\b({SIGNAL})\.curr\b", read, text)


def roll(source: Source) -> Arrays:
    """Replace runs of statements of the same form by loops."""
    groups: dict[str, list[_Lane]] = {}
    for statement in source.statements:
        if statement.clocked and (match := _ASSIGN.match(statement.text)):
            lane = _Lane(statement, match[1], match[2], _ITEM.findall(match[2]))
            groups.setdefault(_ITEM.sub(_form, match[2]), []).append(lane)
    large = [sorted(lanes, key=_numbers) for lanes in groups.values() if len(lanes) >= SHORTEST]
    arrays = Arrays(source)
    for lanes in large:
        arrays.add([lane.target for lane in lanes])
        for items in zip(*(lane.items for lane in lanes), strict=True):
            if all(item.endswith(".curr") for item in items):
                arrays.add([item.removesuffix(".curr") for item in items])
    loops = {
        tuple(run): loop
        for lanes in large
        for run in _runs(lanes, arrays)
        if (loop := _loop(run, arrays)) is not None
    }
    arrays.keep({name for run in loops for lane in run for name in (lane.target, *lane.reads)})
    replaced: dict[Statement, Statement | None] = {}
    for run, loop in loops.items():
        replaced |= {lane.statement: None for lane in run}
        replaced[run[0].statement] = loop
    new = (replaced.get(statement, statement) for statement in source.statements)
    source.statements = [statement for statement in new if statement is not None]
    return arrays


def _form(item: re.Match[str]) -> str:
    match = _SLICE.match(item[0])
    if match:
        return f"SLICE<{int(match[2]) - int(match[3])}>"
    return "REGISTER" if item[0].endswith(".curr") else "SIGNAL"


def _numbers(lane: _Lane) -> list[int]:
    """A sort key that puts lane 10 after lane 9."""
    return [int(number) for number in re.findall(r"\d+", lane.target)]


def _runs(lanes: list[_Lane], arrays: Arrays) -> Iterator[list[_Lane]]:
    """Runs of adjacent elements whose operands have the same steps from lane to lane."""
    start = 0
    while start < len(lanes):
        stop = start + 1
        steps: list[_Step] | None = None
        while stop < len(lanes):
            next_steps = _steps(lanes[stop - 1], lanes[stop], arrays)
            if not _follows(lanes[stop - 1].target, lanes[stop].target, arrays):
                break
            if steps is not None and next_steps != steps:
                break
            steps = next_steps
            stop += 1
        run = lanes[start:stop]
        if len(run) >= SHORTEST and _ascends(run):
            yield run
        start = stop


def _ascends(run: list[_Lane]) -> bool:
    """Whether no lane reads a register that an earlier lane has overwritten."""
    number = {lane.target: n for n, lane in enumerate(run)}
    return all(number.get(name, n) >= n for n, lane in enumerate(run) for name in lane.reads)


def _steps(lane: _Lane, after: _Lane, arrays: Arrays) -> list[_Step]:
    """The step of each operand from `lane` to the one after it."""
    steps = []
    for one, two in zip(lane.items, after.items, strict=True):
        if one == two:
            steps.append(_Step.STAYS)
        else:
            steps.append(_Step.FOLLOWS if _follows(one, two, arrays) else _Step.VARIES)
    return steps


def _follows(one: str, two: str, arrays: Arrays) -> bool:
    place = arrays.place
    first, second = _SLICE.fullmatch(one), _SLICE.fullmatch(two)
    if first and second:
        bits = int(first[2]) - int(first[3]) + 1
        low = int(first[3])
        return (
            first[1] == second[1]
            and bits in (8, 16, 32)
            and low % bits == 0
            and int(second[3]) == low + bits
        )
    one, two = one.removesuffix(".curr"), two.removesuffix(".curr")
    if one not in place or two not in place:
        return False
    number, index = place[one]
    return place[two] == (number, index + 1)


def _loop(run: list[_Lane], arrays: Arrays) -> Statement | None:
    """One statement for `run`, with a loop in each branch where possible; None if in none."""
    first, bits = run[0], arrays.bits(run[0].target)
    columns = list(zip(*(lane.items for lane in run), strict=True))
    step = dict(zip(columns, _steps(run[0], run[1], arrays), strict=True))
    # In the common text, a mark stands for the operands of all lanes in this position.
    marks = {operands: f"${n}$" for n, operands in enumerate(step)}
    operands_of = {mark: operands for operands, mark in marks.items()}
    places = iter(columns)
    value = _ITEM.sub(lambda _: marks[next(places)], first.value)
    keep = marks.get(tuple(f"{lane.target}.curr" for lane in run), "")

    def moves(text: str) -> set[_Step]:
        return {step[operands_of[mark]] for mark in _MARK.findall(text)}

    def in_lane(n: int, text: str) -> str:
        return _MARK.sub(lambda match: operands_of[match[0]][n], text)

    def in_loop(match: re.Match[str]) -> str:
        operands = operands_of[match[0]]
        item = operands[0]
        if step[operands] is _Step.STAYS:
            return item
        if sliced := _SLICE.fullmatch(item):
            size, low = int(sliced[2]) - int(sliced[3]) + 1, int(sliced[3])
            return f"vd_word<{size}>({sliced[1]}, {low // size} + n)"
        name = item.removesuffix(".curr")
        return f"vd_exact<{arrays.bits(name)}>({arrays.element(name, ' + n')})"

    def write(value: str, tabs: str) -> str:
        def one(target: str, value: str) -> str:
            return f"{target} = vd_unsigned(value<{bits}>({value}));"

        if _Step.VARIES in moves(value):
            return "\n".join(
                tabs + one(arrays.element(lane.target), in_lane(n, value))
                for n, lane in enumerate(run)
            )
        loop = f"for (size_t n = 0; n < {len(run)}; n++)"
        target = arrays.element(first.target, " + n")
        return f"{tabs}{loop} {one(target, _MARK.sub(in_loop, value))}"

    lines = assign(value, keep, write, "\t", lambda condition, _: moves(condition) <= {_Step.STAYS})
    lines = in_lane(0, "\n".join(lines)).split("\n")  # conditions are the same in all lanes
    if not any("for (" in line for line in lines):
        return None
    loop = Statement([], clocked=True, single=True)
    take_guard(loop, lines)
    for lane in run:
        loop.writes |= lane.statement.writes
        loop.reads |= lane.statement.reads
    return loop
