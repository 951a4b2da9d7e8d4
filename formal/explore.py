"""Every state that a model can reach, visited one by one: for control, whose states are few.

The claims hold for all time because no state is left. What no claim depends on, the data, is swept
away; a multiplier that claims did depend on may give any product. Memories start with zeros.
"""

import dataclasses
import functools
import itertools
import json
import re
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formal.compiled import compiled
from formal.graph import Graph, nets, run_yosys
from formal.outcome import Job, Outcome, digest_of
from properties.dialect import (
    ASSERT_FAIR,
    ASSUME_FAIR,
    CUT,
    HELD,
    HOLDER,
    LOOP_ENDS,
    LOOP_GOES_ON,
    STAND_IN,
)

_FLATTEN = """\
read_rtlil model.il
prep -flatten -top top
chformal -lower
opt_clean
memory_collect
simplemap
write_rtlil flat.il
write_json graph.json
"""
_GATES = """\
read_rtlil narrow.il
memory_map
opt_expr
techmap
opt_expr
dfflegalize -cell $_DFF_P_ 01
aigmap
opt_clean
write_json gates.json
"""
#: Variables before are false and unknown.
_FIRST = 2
_SOURCE = Path(__file__).with_name("explore.cpp")


def run(job: Job, folder: Path) -> Outcome:
    """Visit all states, which shows the witnesses too; in mode cover, until each was met.

    `trace` of a failure gives the inputs that are high in each cycle from reset on.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "logfile.txt"
    try:
        circuit = _circuit(job, folder)
        (folder / "model.txt").write_text(circuit.text())
        found = subprocess.run(
            [
                compiled(_SOURCE, folder.parent.parent, "-O3", "-march=native"),
                "model.txt",
                "cover" if job.mode == "cover" else "prove",
                "run.txt",
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=max(1.0, job.timeout - (time.monotonic() - start)),
            check=True,
        ).stdout
        log.write_text(found)
    except subprocess.TimeoutExpired:
        netlist = digest_of(folder / "model.il")
        return Outcome("TIMEOUT", job.timeout, netlist=netlist, log=str(log))
    except subprocess.CalledProcessError as error:
        log.write_text(f"{error}\n")
        return Outcome("ERROR", log=str(log))

    def told(kind: str, asked: Mapping[str, int]) -> dict[str, int]:
        """The names of those asked about that were found, each with the cycles until then."""
        names = list(asked)
        lines = re.findall(rf"^{kind} (\d+) (\d+)", found, re.M)
        return {names[int(n)]: int(cycles) for n, cycles in lines}

    def answer(
        status: bool, hits: Mapping[str, int], asked: Collection[str], trace: Path | None = None
    ) -> Outcome:
        return Outcome(
            status="PASS" if status else "FAIL",
            seconds=round(time.monotonic() - start, 1),
            named=tuple(hits),
            found=tuple(sorted(asked)),
            assumed=tuple(sorted(circuit.suppositions)),
            netlist=digest_of(folder / "model.il"),
            cycles=max(hits.values(), default=None),
            trace=str(trace) if trace else None,
            log=str(log),
        )

    witnesses, claims = circuit.witnesses, circuit.claims | circuit.live
    met, broken = told("met", witnesses), told("hit", claims)
    cover = answer(len(met) == len(witnesses), met, witnesses)
    if job.mode == "cover":
        return cover
    if broken:
        _tell_run(circuit, folder)
        return answer(False, broken, claims, folder / "trace.txt")
    return dataclasses.replace(
        answer(True, {}, claims), cover=dataclasses.replace(cover, seconds=0.0)
    )


@dataclass
class Circuit:
    """Gates and registers in the cone of what is claimed, as literals: 2n, or 2n + 1 negated."""

    inputs: list[str] = field(default_factory=list)
    registers: list[tuple[int, ...]] = field(default_factory=list)
    gates: list[tuple[int, int]] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)
    suppositions: dict[str, int] = field(default_factory=dict)
    witnesses: dict[str, int] = field(default_factory=dict)
    fair: dict[str, int] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    loop: dict[str, int] = field(default_factory=dict)

    def text(self) -> str:
        """What ``explore.cpp`` reads."""
        loop = {name: self.loop[name] for name in (LOOP_GOES_ON, LOOP_ENDS) if self.loop}
        groups = (self.claims, self.suppositions, self.witnesses, self.fair, self.live, loop)
        counts = [len(part) for part in (self.inputs, self.registers, self.gates, *groups)]
        rows = [*((*row, 0)[:3] for row in self.registers), *self.gates]
        literals = [str(literal) for group in groups for literal in group.values()]
        return "\n".join(
            [" ".join(map(str, counts)), *(" ".join(map(str, row)) for row in rows), *literals, ""]
        )


def _circuit(job: Job, folder: Path) -> Circuit:
    """The circuit of a netlist; raises ValueError for one with constants that a solver chooses."""
    if re.search(r"^  cell \$anyconst ", job.netlist, re.MULTILINE):
        raise ValueError("a search of states has no constants that a solver would choose")
    (folder / "model.il").write_text(job.netlist)
    run_yosys(_FLATTEN, folder, job.timeout)
    graph = Graph.read(folder / "graph.json")
    # A search of witnesses claims nothing.
    ignored = ("assert",) if job.mode == "cover" else ()
    checks = _checks(_top(folder / "graph.json"))
    sinks = {bit for kind, _, bits in checks if kind not in ignored for bit in nets(bits)}
    sinks |= graph.ports_called(STAND_IN) | graph.ports_called(HOLDER)
    needed = graph.behind(sinks, graph.ports_called(CUT))

    # What nothing claimed depends on, memories and multipliers above all, would be many gates.
    def keep(match: re.Match) -> str:
        kind, name = match[1], match[2].removeprefix("\\")
        if kind[1:] in ignored:
            return ""
        is_check = kind in ("$assert", "$assume", "$cover")
        return match[0] if is_check or (name in needed and kind != "$mul") else ""

    cell = re.compile(r"^  cell (\S+) (\S+)\n(?:    .*\n)*  end\n", re.MULTILINE)
    (folder / "narrow.il").write_text(cell.sub(keep, (folder / "flat.il").read_text()))
    run_yosys(_GATES, folder, job.timeout)
    return _read(_top(folder / "gates.json"))


def _top(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["modules"]["top"]


def _checks(top: dict[str, Any]) -> Iterator[tuple[str, str, list[int]]]:
    """Kind, name and bits of whatever is claimed, supposed or looked for."""
    for name, cell in top["cells"].items():
        if cell["type"] in ("$assert", "$assume", "$cover"):
            kind = cell["type"][1:]
            pins = cell["connections"]
            yield kind, name.split(f".{kind}_", 1)[1], [*pins["A"], *pins["EN"]]
    for name, port in top["ports"].items():
        for kind in (ASSERT_FAIR, ASSUME_FAIR):
            if name.startswith(kind):
                yield kind, name.removeprefix(kind), port["bits"]
        if name in (LOOP_GOES_ON, LOOP_ENDS):
            yield name, name, port["bits"]


def _read(top: dict[str, Any]) -> Circuit:
    """What the checks depend on, inputs first, gates in order of evaluation."""
    gates: dict[int, list[Any]] = {}
    registers: dict[int, Any] = {}
    aliases: dict[int, tuple[Any, bool]] = {}  # of what, and whether inverted
    for cell in top["cells"].values():
        pins = {pin: bits[0] for pin, bits in cell["connections"].items()}
        if cell["type"] == "$_AND_":
            gates[pins["Y"]] = [pins["A"], pins["B"]]
        elif cell["type"] == "$_NOT_":
            aliases[pins["Y"]] = pins["A"], True
        elif cell["type"] == "$_DFF_P_":
            registers[pins["Q"]] = pins["D"]
    ports = {name: port["bits"] for name, port in top["ports"].items()}
    guards: dict[int, tuple[Any, ...]] = {}
    for name, bits in ports.items():
        if name.startswith(CUT):
            for driven, bit in itertools.product((gates, registers, aliases), bits):
                driven.pop(bit, None)
            stand_in = ports.get(name.replace(CUT, STAND_IN, 1), [])
            aliases |= {bit: (other, False) for bit, other in zip(bits, stand_in, strict=False)}
        elif name.startswith(HELD):
            guards |= {bit: tuple(ports[name.replace(HELD, HOLDER, 1)]) for bit in bits}
    initial: dict[int, str] = {}
    for net in top["netnames"].values():
        values = net["attributes"].get("init", "")[::-1]
        initial |= {
            bit: value for bit, value in zip(net["bits"], values, strict=False) if value in "01"
        }
    names = {
        bit: f"{name}[{index}]" if len(port["bits"]) > 1 else name
        for name, port in top["ports"].items()
        if port["direction"] == "input"
        for index, bit in enumerate(port["bits"])
    }

    # All that the checks depend on, each after what it is computed from.
    order: list[Any] = []
    seen: set[Any] = {"0", "1", "x"}
    behind_registers: list[Any] = [bit for _, _, bits in _checks(top) for bit in bits]
    while behind_registers:
        todo = [(behind_registers.pop(), False)]
        while todo:
            bit, ready = todo.pop()
            if ready:
                order.append(bit)
            elif bit not in seen:
                seen.add(bit)
                todo.append((bit, True))
                todo += [
                    (origin, False) for origin in (*gates.get(bit, ()), *aliases.get(bit, ())[:1])
                ]
                if bit in registers:
                    behind_registers += [registers[bit], *guards.get(bit, ())]

    circuit = Circuit()
    literal: dict[Any, int] = {"0": 0, "1": 1, "x": 2}
    held = [bit for bit in order if bit in registers]
    given = [bit for bit in order if not (bit in registers or bit in gates or bit in aliases)]
    for number, bit in enumerate((*given, *held), _FIRST):
        literal[bit] = 2 * number

    @functools.cache
    def both(a: int, b: int) -> int:
        """The gate of two literals; equal ones are one."""
        circuit.gates.append((a, b))
        return 2 * (_FIRST + len(given) + len(held) + len(circuit.gates) - 1)

    for bit in order:
        if bit in gates:
            a, b = sorted(literal[origin] for origin in gates[bit])
            literal[bit] = both(a, b)
        elif bit in aliases:
            origin, inverted = aliases[bit]
            literal[bit] = literal[origin] ^ inverted
    number_of = {bit: number for number, bit in enumerate(held, 1)}
    circuit.inputs = [names.get(bit, "(any)") for bit in given]
    circuit.registers = [
        (
            literal[registers[bit]],
            int(initial.get(bit, "0")),
            *(number_of[guard] for guard in guards.get(bit, ())),
        )
        for bit in held
    ]
    for kind, name, bits in _checks(top):
        literals = [literal[bit] for bit in bits]
        if kind == "assert":
            circuit.claims[name] = both(literals[0] ^ 1, literals[1]) ^ 1
        elif kind == "assume":
            circuit.suppositions[name] = both(literals[0] ^ 1, literals[1]) ^ 1
        elif kind == "cover":
            circuit.witnesses[name] = both(*literals)
        elif kind == ASSUME_FAIR:
            circuit.fair[name] = literals[0]
        elif kind in (LOOP_GOES_ON, LOOP_ENDS):
            circuit.loop[name] = literals[0]
        else:
            circuit.live[name] = literals[0]
    return circuit


def _tell_run(circuit: Circuit, folder: Path) -> None:
    """Write which inputs are high in each cycle of the run that was found."""
    lines = []
    for cycle, word in enumerate((folder / "run.txt").read_text().split()):
        high = [name for n, name in enumerate(circuit.inputs) if int(word) >> n & 1]
        lines.append(f"{cycle:5} {' '.join(high)}\n")
    (folder / "trace.txt").write_text("".join(lines))
