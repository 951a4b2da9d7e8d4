"""Presents a trace: save files for GTKWave and Surfer, and a table of the last cycles."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from vcd.reader import ScalarChange, TokenKind, VectorChange, tokenize

from formal.model import THEOREM
from tools import save_files

#: Time units per cycle in the traces of smtbmc and sby.
PERIOD = 10


@dataclass(frozen=True)
class Signal:
    """A signal of a trace: its path, its width, and a value (bits) for every cycle."""

    path: tuple[str, ...]
    width: int
    values: list[str]

    @property
    def label(self) -> str:
        """The name in a table, without the common `top`."""
        return ".".join(self.path[1:])


def read(trace: Path) -> list[Signal]:
    """Every signal of a VCD, sampled once a cycle."""
    scope: list[str] = []
    declared: list[tuple[tuple[str, ...], int, str]] = []
    now: dict[str, str] = {}
    samples: list[dict[str, str]] = []
    with trace.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR:
                var = token.var
                declared.append(((*scope, var.reference), var.size, var.id_code))
            elif token.kind is TokenKind.CHANGE_TIME:
                # Within a cycle only the clock changes.
                samples += [dict(now)] * (token.time_change // PERIOD - len(samples))
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.data
                assert isinstance(change, ScalarChange | VectorChange)
                now[change.id_code] = _bits(change.value)
    return [
        Signal(path, width, [sample.get(code, "x") for sample in samples])
        for path, width, code in declared
        if len(path) > 1  # others were added by the tools
    ]


def _bits(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:b}"


def involved(signals: list[Signal], names: Collection[str]) -> list[Signal]:
    """The theorem's signals called `names`; if there are none, all of its signals and inputs."""
    seen = [s for s in signals if s.path[1:2] == (THEOREM,) and s.path[-1] not in ("clk", "rst")]
    always = [s for s in signals if s.path[1:] in (("rst",), ("loop",))]
    chosen = [s for s in seen if s.path[-1] in names]
    ports = [s for s in signals if len(s.path) == 2 and s.path[-1] != "clk" and s not in always]
    return always + (chosen or [*ports, *seen])


def last_cycles(signals: list[Signal], count: int = 8) -> Table:
    """The last `count` cycles: a line per signal, in decimal, `x` where unknown."""
    total = len(signals[0].values) if signals else 0
    cycles = range(max(0, total - count), total)
    table = Table(box=None)
    table.add_column("cycle")
    for cycle in cycles:
        table.add_column(str(cycle), justify="right")
    for signal in signals:
        bits = [signal.values[cycle] for cycle in cycles]
        shown = [str(int(value, 2)) if set(value) <= {"0", "1"} else value for value in bits]
        table.add_row(signal.label, *shown)
    return table


def write_save_files(trace: Path, signals: list[Signal]) -> tuple[Path, Path]:
    """``gtkwave FILE`` and ``surfer --command-file FILE`` open the trace at these signals."""
    chosen = [save_files.Variable(signal.path, signal.width) for signal in signals]
    return save_files.write_save_files(trace, {"": chosen}, tree=f"top.{THEOREM}", step="smt_step")
