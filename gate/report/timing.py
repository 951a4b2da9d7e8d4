"""A timing diagram of the last cycles of a trace, as SVG: expected beside actual."""

import dataclasses
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd.reader import VCDParseError

from formal.model import THEOREM
from formal.report import waves
from formal.report.waves import Signal
from spec.trace import Tensor
from tools.save_files import Variable, declared

#: Cycles and signals that are drawn at most, and the size of a file that is read at most.
CYCLES, SIGNALS, LARGEST = 12, 16, 40_000_000
#: Wider signals are drawn last.
WIDEST = 64
#: Cycles that are drawn after a difference.
AFTER = 3
_EXPECTED = re.compile(r"[_ ]?expected_?")


@dataclass(frozen=True)
class Row:
    """A signal: `runs` of equal values (first column, number of columns, value), and the columns
    in which it `differs` from what was expected."""

    name: str
    bus: bool
    runs: list[tuple[int, int, str]]
    differs: list[int]


@dataclass(frozen=True)
class Diagram:
    """The rows, and the numbers of their cycles."""

    rows: list[Row]
    cycles: list[int]
    more: int


def of_proof(trace: Path) -> Diagram | None:
    """Of a formal trace: the signals of its save file, which `formal.report.waves` chose."""
    if not _readable(trace):
        return None
    try:
        every = signals = waves.read(trace)
    except VCDParseError:
        return None
    if wanted := saved(trace):
        by_path = {".".join(signal.path): signal for signal in every}
        signals = [by_path[path] for path in wanted if path in by_path]
    else:
        signals = waves.involved(every, ())
    ports = {signal.path[2] for signal in every if signal.path[1] == "dut" and len(signal.path) > 2}
    return diagram(signals, ports=ports) if signals else None


def of_simulation(trace: Path) -> Diagram | None:
    """Of a simulation's waveform: what its save file names, else the ports; and the first traced
    value that differs, beside golden's, if the waveform has golden's (`sim.waves.record`)."""
    if not _readable(trace):
        return None
    signals = _sampled(trace, saved(trace))
    if not signals:
        return None
    values, cycle = _compared(signals)
    shown = [signal for signal in signals if not _COMPARED.fullmatch(signal.path[1])]
    if not values:
        return diagram(shown)
    until = cycle + 1 + AFTER
    kept = [dataclasses.replace(one, values=one.values[:until]) for one in (*values, *shown)]
    return diagram(kept)


def saved(trace: Path) -> list[str]:
    """The signals that the save file beside a trace names."""
    commands = trace.with_suffix(".sucl")
    if not commands.is_file():
        return []
    lines = commands.read_text("utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith("variable_add ")]


def _readable(trace: Path) -> bool:
    return trace.suffix == ".vcd" and trace.is_file() and trace.stat().st_size <= LARGEST


def _sampled(trace: Path, chosen: Sequence[str]) -> list[Signal]:
    """The chosen signals in each cycle; by default those beside ``clk``, which falls when all of a
    cycle's values are there."""
    now: dict[bytes, str] = {}
    samples: list[dict[bytes, str]] = []
    with trace.open("rb") as file:
        variables = list(declared(file))
        clock = next((one for one in variables if one.path[-1] == "clk"), None)
        if clock is None:
            return []
        kept: dict[tuple[str, ...], Variable] = {}
        for one in variables:
            if "$" not in one.path[-1] and _is_chosen(one.path, chosen, len(clock.path)):
                kept.setdefault(one.path, one)
        kept.pop(clock.path, None)
        codes = {one.code.encode() for one in kept.values()}
        for line in file:
            value, _, code = line.strip().partition(b" ")
            if not code:
                value, code = value[:1], value[1:]
            if code == clock.code.encode() and value == b"0":
                samples.append(dict(now))
            elif code in codes:
                now[code] = value.removeprefix(b"b").decode()
    return [
        Signal(("top", *path), one.width, [each.get(one.code.encode(), "x") for each in samples])
        for path, one in kept.items()
    ]


def _is_chosen(path: tuple[str, ...], chosen: Sequence[str], depth: int) -> bool:
    if _COMPARED.fullmatch(path[0]):
        return True
    return ".".join(path) in chosen if chosen else len(path) == depth


#: The scope of what a trace channel brought last, and what golden says of it (`sim/driver`).
_COMPARED = re.compile(r"compared\d+")


def _compared(signals: Sequence[Signal]) -> tuple[list[Signal], int]:
    """The traced value that differs first, golden's and the RTL's, and the cycle in which it is
    traced; nothing if none differs."""
    parts = {signal.path[1:]: signal.values for signal in signals}
    first = [
        (values.index("1"), path[0])
        for path, values in parts.items()
        if _COMPARED.fullmatch(path[0]) and path[1] == "differs" and "1" in values
    ]
    if not first:
        return [], 0
    cycle, scope = min(first)
    of_scope = {path[1]: values[cycle] for path, values in parts.items() if path[0] == scope}
    name = f"{Tensor(int(of_scope['tensor'], 2)).name}[{int(of_scope['index'], 2)}]"
    after = len(parts[scope, "differs"]) - cycle - 1
    return [
        Signal(("top", label), 32, ["z"] * cycle + [f"={_signed(of_scope[part])}"] + ["z"] * after)
        for label, part in ((f"{name} expected", "expected"), (name, "value"))
    ], cycle


def _signed(bits: str) -> int:
    """The number in 32 bits."""
    return (int(bits, 2) ^ 0x80000000) - 0x80000000


def diagram(
    signals: Sequence[Signal],
    cycles: int = CYCLES,
    most: int = SIGNALS,
    ports: Collection[str] = (),
) -> Diagram:
    """The last cycles of `signals`: what is expected beside what it is expected of, and what
    changes, first. `ports` are the names of signals that a theorem's model may expect."""
    total = max((len(signal.values) for signal in signals), default=0)
    begin = max(0, total - cycles)
    by_name = {signal.label: signal for signal in signals}
    expected = {
        actual: name
        for name in by_name
        if (actual := _expected_of(name, ports)) in by_name
        # What a theorem's model has in common with the design is drawn once.
        and (
            _EXPECTED.search(name) or by_name[actual].values[begin:] != by_name[name].values[begin:]
        )
    }
    alone = [
        name
        for name in by_name
        if name not in expected.values()
        and (_EXPECTED.search(name) or _expected_of(name, ports) not in by_name)
    ]

    def rank(name: str) -> tuple[bool, bool, bool]:
        still = len(set(by_name[name].values[begin:])) < 2
        part = "$" in name or "[" in name or by_name[name].width > WIDEST
        return name not in expected, part, still

    names = sorted(alone, key=rank)
    rows: list[Row] = []
    for name in names[:most]:
        signal, differs = by_name[name], []
        if name in expected:
            other = by_name[expected[name]]
            pairs = zip(signal.values[begin:], other.values[begin:], strict=True)
            differs = [column for column, (a, b) in enumerate(pairs) if a != b]
            rows.append(_row(other, begin, []))
        rows.append(_row(signal, begin, differs))
    return Diagram(rows, list(range(begin, total)), max(0, len(names) - most))


def _expected_of(name: str, ports: Collection[str]) -> str:
    """The signal whose expected value `name` is: that without the word `expected`, or what the
    theorem sees of the design under the name that its model has for it."""
    if _EXPECTED.search(name):
        return _EXPECTED.sub("", name)
    scope, _, rest = name.partition(".")
    inside, _, own = rest.partition(".")
    return f"{scope}.{own}" if scope == THEOREM and inside and own in ports else ""


def _row(signal: Signal, begin: int, differs: list[int]) -> Row:
    runs: list[tuple[int, int, str]] = []
    for column, bits in enumerate(signal.values[begin:]):
        value = _shown(bits)
        if runs and runs[-1][2] == value:
            first, length, _ = runs[-1]
            runs[-1] = (first, length + 1, value)
        else:
            runs.append((column, 1, value))
    return Row(signal.label, signal.width > 1, runs, differs)


def _shown(bits: str) -> str:
    """Decimal below 2^20, hexadecimal above; x where unknown, nothing where there is none, and
    what follows `=` as it is."""
    if bits.startswith("="):
        return bits[1:]
    if not set(bits) <= {"0", "1"}:
        return "" if bits == "z" else "x"
    value = int(bits, 2)
    return str(value) if value < 1 << 20 else f"0x{value:x}"
