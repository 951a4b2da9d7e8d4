"""A timing diagram of the last cycles of a trace, as SVG: expected beside actual."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd.reader import TokenKind, tokenize

from formal.model import THEOREM
from formal.report import waves
from formal.report.waves import Signal

#: Cycles and signals that are drawn at most, and the size of a file that is read at most.
CYCLES, SIGNALS, LARGEST = 12, 16, 40_000_000
_EXPECTED = re.compile(r"_?expected_?")


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
    signals = waves.read(trace)
    commands = trace.with_suffix(".sucl")
    if commands.is_file():
        lines = commands.read_text("utf-8").splitlines()
        wanted = [line.split()[1] for line in lines if line.startswith("variable_add ")]
        by_path = {".".join(signal.path): signal for signal in signals}
        signals = [by_path[path] for path in wanted if path in by_path]
    else:
        signals = waves.involved(signals, ())
    return diagram(signals)


def of_simulation(trace: Path, chosen: Sequence[str] = ()) -> Diagram | None:
    """Of a simulation's waveform: the signals `chosen` by name, else those at the top."""
    if not _readable(trace):
        return None
    signals = _sampled(trace, chosen)
    return diagram(signals) if signals else None


def _readable(trace: Path) -> bool:
    return trace.suffix == ".vcd" and trace.is_file() and trace.stat().st_size <= LARGEST


def _sampled(trace: Path, chosen: Sequence[str]) -> list[Signal]:
    """The chosen signals at each rising edge of ``clk``."""
    scope: list[str] = []
    paths: dict[tuple[str, ...], tuple[str, int]] = {}
    codes: set[str] = set()
    now: dict[str, str] = {}
    samples: list[dict[str, str]] = []
    clock = ""
    with trace.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR:
                var = token.var
                path = (*scope, var.reference)
                if path[-1] == "clk" and not clock:
                    clock = var.id_code
                elif "$" not in path[-1] and _is_chosen(path, chosen):
                    paths.setdefault(path, (var.id_code, var.size))
                    codes.add(var.id_code)
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.data
                code, value = change.id_code, change.value  # type: ignore[union-attr]
                if code == clock and value == "1":
                    samples.append(dict(now))
                if code in codes:
                    now[code] = value if isinstance(value, str) else f"{value:b}"
    return [
        Signal(("top", *path), width, [sample.get(code, "x") for sample in samples])
        for path, (code, width) in paths.items()
    ]


def _is_chosen(path: tuple[str, ...], chosen: Sequence[str]) -> bool:
    if chosen:
        return ".".join(path) in chosen or path[-1] in chosen
    return len(path) == 1 or bool(_EXPECTED.search(path[-1]))


def diagram(signals: Sequence[Signal], cycles: int = CYCLES, most: int = SIGNALS) -> Diagram:
    """The last cycles of `signals`: what is expected beside what it is expected of, and what
    changes, first."""
    total = max((len(signal.values) for signal in signals), default=0)
    begin = max(0, total - cycles)
    by_name = {signal.label: signal for signal in signals}
    expected = {
        actual: name
        for name in by_name
        if (actual := _expected_of(name)) in by_name
        # What a theorem's model has in common with the design is drawn once.
        and (
            _EXPECTED.search(name) or by_name[actual].values[begin:] != by_name[name].values[begin:]
        )
    }
    alone = [
        name
        for name in by_name
        if name not in expected.values()
        and (_EXPECTED.search(name) or _expected_of(name) not in by_name)
    ]

    def rank(name: str) -> tuple[bool, bool, bool]:
        still = len(set(by_name[name].values[begin:])) < 2
        return name not in expected, "$" in name, still

    names = sorted(alone, key=rank)
    rows: list[Row] = []
    for name in names[:most]:
        actual, differs = by_name[name], []
        if name in expected:
            other = by_name[expected[name]]
            pairs = zip(actual.values[begin:], other.values[begin:], strict=True)
            differs = [column for column, (a, b) in enumerate(pairs) if a != b]
            rows.append(_row(other, begin, []))
        rows.append(_row(actual, begin, differs))
    return Diagram(rows, list(range(begin, total)), max(0, len(names) - most))


def _expected_of(name: str) -> str:
    """The signal whose expected value `name` is: that without the word `expected`, or what the
    theorem sees of the design under the name that its model has for it."""
    if _EXPECTED.search(name):
        return _EXPECTED.sub("", name)
    scope, _, rest = name.partition(".")
    inside, _, own = rest.partition(".")
    return f"{scope}.{own}" if scope == THEOREM and inside and own else ""


def _row(signal: Signal, begin: int, differs: list[int]) -> Row:
    runs: list[tuple[int, int, str]] = []
    for column, bits in enumerate(signal.values[begin:]):
        value = _shown(bits, signal.width)
        if runs and runs[-1][2] == value:
            first, length, _ = runs[-1]
            runs[-1] = (first, length + 1, value)
        else:
            runs.append((column, 1, value))
    return Row(signal.label, signal.width > 1, runs, differs)


def _shown(bits: str, width: int) -> str:
    """Decimal up to 16 bits, hexadecimal above; x where unknown."""
    if not set(bits) <= {"0", "1"}:
        return "x"
    value = int(bits, 2)
    return str(value) if width <= 16 else f"{value:x}"
