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


def of_simulation(trace: Path, printed: str = "") -> Diagram | None:
    """Of a simulation's waveform: what its save file names, else the ports; and the traced value
    that a comparison `printed` as different, beside golden's."""
    if not _readable(trace):
        return None
    chosen = saved(trace)
    signals = _sampled(trace, chosen)
    if not signals:
        return None
    shown = [signal for signal in signals if not _TRACE.fullmatch(signal.label)]
    values, cycle = _traced(signals, printed)
    if values and not any(_EXPECTED.search(signal.label) for signal in shown):
        until = cycle + 1 + AFTER
        kept = [dataclasses.replace(one, values=one.values[:until]) for one in (*values, *shown)]
        return diagram(kept)
    return diagram(shown)


def saved(trace: Path) -> list[str]:
    """The signals that the save file beside a trace names."""
    commands = trace.with_suffix(".sucl")
    if not commands.is_file():
        return []
    lines = commands.read_text("utf-8").splitlines()
    return [line.split()[1] for line in lines if line.startswith("variable_add ")]


def _readable(trace: Path) -> bool:
    return trace.suffix == ".vcd" and trace.is_file() and trace.stat().st_size <= LARGEST


#: What declares a signal, in a line of its own, as CXXRTL writes them. pyvcd refuses their names.
_VAR = re.compile(r"\$var \w+ (\d+) (\S+) (\S+)")


def _sampled(trace: Path, chosen: Sequence[str]) -> list[Signal]:
    """The chosen signals at each rising edge of ``clk``; by default those beside it."""
    scope: list[str] = []
    paths: dict[tuple[str, ...], tuple[str, int]] = {}
    now: dict[str, str] = {}
    samples: list[dict[str, str]] = []
    clock, depth = "", 1
    with trace.open(encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("$scope"):
                scope.append(line.split()[2])
            elif line.startswith("$upscope"):
                scope.pop()
            elif var := _VAR.match(line):
                path = (*scope, var[3])
                if var[3] == "clk" and not clock:
                    clock, depth = var[2], len(path)
                elif "$" not in var[3] and _is_chosen(path, chosen, depth):
                    paths.setdefault(path, (var[2], int(var[1])))
            elif line.startswith("$enddefinitions"):
                break
        codes = {code for code, _ in paths.values()}
        for line in file:
            value, _, code = line.strip().partition(" ")
            if not code:
                value, code = value[:1], value[1:]
            if code == clock and value == "1":
                samples.append(dict(now))
            elif code in codes:
                now[code] = value.removeprefix("b")
    return [
        Signal(("top", *path), width, [sample.get(code, "x") for sample in samples])
        for path, (code, width) in paths.items()
    ]


def _is_chosen(path: tuple[str, ...], chosen: Sequence[str], depth: int) -> bool:
    if chosen and not _TRACE.fullmatch(path[-1]):
        return ".".join(path) in chosen or path[-1] in chosen
    return len(path) == depth or bool(_EXPECTED.search(path[-1]))


#: The ports of the trace, see `sim.harness`, and what a failed comparison prints of a value.
_TRACE = re.compile(r"trace(?P<channel>\d+)|trace_valid|trace(\[.*)?")
_DIFFERS = re.compile(
    r"(?:layer (?P<layer>\d+), )?(?P<tensor>[A-Z0-9_]+)\[(?P<element>\d+)\]:"
    r" golden (?P<golden>-?\d+), RTL -?\d+"
)


def _traced(signals: Sequence[Signal], printed: str) -> tuple[list[Signal], int]:
    """The traced value that differs, golden's and the RTL's, and the cycle in which it is traced;
    nothing if it is not found."""
    differs = _DIFFERS.search(printed)
    by_label = {signal.label: signal for signal in signals}
    valid = by_label.get("trace_valid")
    if differs is None or valid is None or differs["tensor"] not in Tensor.__members__:
        return [], 0
    wanted = (
        Tensor[differs["tensor"]].value, int(differs["layer"] or 0), int(differs["element"])
    )  # fmt: skip
    name = f"{differs['tensor']}[{differs['element']}]"
    for label, signal in by_label.items():
        channel = _TRACE.fullmatch(label)
        if channel is None or channel["channel"] is None:
            continue
        number = int(channel["channel"])
        for cycle, (is_valid, bits) in enumerate(zip(valid.values, signal.values, strict=True)):
            if "x" in is_valid + bits or not int(is_valid, 2) >> number & 1:
                continue
            record = int(bits, 2)
            layer = record >> 16 & 0xFFFF if differs["layer"] else 0
            if (record & 0xFFFF, layer, record >> 32 & 0xFFFFFFFF) != wanted:
                continue
            value = (record >> 64 & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
            after = min(AFTER, len(valid.values) - cycle - 1)
            return [
                Signal(("top", label), 32, ["z"] * cycle + [f"={text}"] + ["z"] * after)
                for label, text in ((f"{name} expected", differs["golden"]), (name, str(value)))
            ], cycle
    return [], 0


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
