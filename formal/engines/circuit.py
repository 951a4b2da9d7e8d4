"""A model as gates, registers and inputs, for `explore` and AIGER files.

What the netlist leaves open may have any value: registers without an initial value and words of a
memory begin with any; undriven bits, x, products (which are not computed), and cutpoints without an
abstraction are inputs. Anything else that is unknown is an error.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formal.engines.graph import Graph, nets, run_yosys
from formal.engines.outcome import Job
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

# An x becomes an input before a pass that could choose its value.
_FLATTEN = """\
logger -werror "multiple conflicting drivers"
read_rtlil model.il
prep -flatten -top top
chformal -lower
setundef -undriven -anyseq
opt_clean
memory_collect
simplemap
write_rtlil flat.il
write_json graph.json
"""
GATES = """\
read_rtlil narrow.il
memory_map
setundef -anyseq
techmap
setundef -anyseq
opt_expr
dfflegalize -cell $_DFF_P_ 01
aigmap
opt_clean
write_json gates.json
"""
#: Marks a register that may have any initial value.
ANY = 2
_CHECKS = ("$assert", "$assume", "$cover")


@dataclass(frozen=True)
class Register:
    """`name` of the bit; the literal of its `next` value; the `initial` value, 0, 1 or `ANY`; and
    `holder`, the number (from 1) of its valid qualifier, or 0."""

    name: str
    next: int
    initial: int
    holder: int = 0


@dataclass
class Circuit:
    """Gates and registers in the cone of influence of the claims.

    Variables are 0 (false), then the inputs, the registers, and the gates, each after its operands;
    literal 2n is variable n, 2n + 1 its negation. An input is named after the bit of its port, or
    "any#" and its number.
    """

    inputs: list[str] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    gates: list[tuple[int, int]] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)
    suppositions: dict[str, int] = field(default_factory=dict)
    witnesses: dict[str, int] = field(default_factory=dict)
    fair: dict[str, int] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    #: Empty, or `LOOP_GOES_ON` and `LOOP_ENDS`.
    loop: dict[str, int] = field(default_factory=dict)

    def text(self) -> str:
        """The input of ``explore.cpp``."""
        loop = {name: self.loop[name] for name in (LOOP_GOES_ON, LOOP_ENDS) if self.loop}
        groups = (self.claims, self.suppositions, self.witnesses, self.fair, self.live, loop)
        counts = [len(part) for part in (self.inputs, self.registers, self.gates, *groups)]
        registers = [(row.next, row.initial, row.holder) for row in self.registers]
        literals = [str(literal) for group in groups for literal in group.values()]
        rows = [" ".join(map(str, row)) for row in (counts, *registers, *self.gates)]
        return "\n".join([*rows, *literals, ""])


def circuit_of(job: Job, folder: Path) -> Circuit:
    """The circuit of a netlist, made in an existing `folder`.

    Raises ValueError for unknown constructs, subprocess.SubprocessError when yosys fails.
    """
    if re.search(r"^  cell \$anyconst ", job.netlist, re.MULTILINE):
        raise ValueError("explicit-state model checking does not support $anyconst")
    (folder / "model.il").write_text(job.netlist)
    run_yosys(_FLATTEN, folder, job.timeout)
    graph = Graph.read(folder / "graph.json")
    # In mode cover, claims are ignored.
    ignored = ("assert",) if job.mode == "cover" else ()
    checks = _checks(top_of(folder / "graph.json"))
    sinks = {bit for kind, _, bits in checks if kind not in ignored for bit in nets(bits)}
    sinks |= graph.ports_called(STAND_IN) | graph.ports_called(HOLDER)
    needed = graph.cone(sinks, graph.ports_called(CUT))

    # Cells outside the cone, above all memories and multipliers, would become many gates.
    def keep(match: re.Match) -> str:
        kind, name = match[1], match[2].removeprefix("\\")
        if kind[1:] in ignored:
            return ""
        return match[0] if kind in _CHECKS or (name in needed and kind != "$mul") else ""

    cell = re.compile(r"^  cell (\S+) (\S+)\n(?:    .*\n)*  end\n", re.MULTILINE)
    (folder / "narrow.il").write_text(cell.sub(keep, (folder / "flat.il").read_text()))
    run_yosys(GATES, folder, job.timeout)
    return Reader(top_of(folder / "gates.json")).circuit()


def top_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["modules"]["top"]


def _checks(top: Mapping[str, Any]) -> Iterator[tuple[str, str, list[int]]]:
    """Kind, name and bits of all claims, suppositions, witnesses and liveness conditions."""
    for name, cell in top["cells"].items():
        if cell["type"] in _CHECKS:
            kind = cell["type"][1:]
            pins = cell["connections"]
            yield kind, name.split(f".{kind}_", 1)[1], [*pins["A"], *pins["EN"]]
    for name, port in top["ports"].items():
        for kind in (ASSERT_FAIR, ASSUME_FAIR):
            if name.startswith(kind):
                yield kind, name.removeprefix(kind), port["bits"]
        if name in (LOOP_GOES_ON, LOOP_ENDS):
            yield name, name, port["bits"]


class Reader:
    """A netlist of and-gates, inverters and registers on one clock."""

    def __init__(self, top: Mapping[str, Any]):
        self.top = top
        self.ports: dict[str, list[Any]] = {name: p["bits"] for name, p in top["ports"].items()}
        self.gates: dict[Any, tuple[Any, Any]] = {}
        self.aliases: dict[Any, tuple[Any, bool]] = {}  # (origin, whether inverted)
        self.registers: dict[Any, Any] = {}
        self.clocks: dict[Any, Any] = {}
        self.holders: dict[Any, Any] = {}
        self.anything: set[Any] = set()
        self.inputs = {
            bit: f"{name}[{index}]" if len(port["bits"]) > 1 else name
            for name, port in top["ports"].items()
            if port["direction"] == "input"
            for index, bit in enumerate(port["bits"])
        }
        for name, port in top["ports"].items():
            if port["direction"] not in ("input", "output"):
                raise ValueError(f"port {name} is bidirectional")
        for name, cell in top["cells"].items():
            self._take(name, cell)
        for name, bits in self.ports.items():
            if name.startswith(CUT):
                self._cut(name, bits)
            elif name.startswith(HELD):
                holder = self.ports[name.replace(HELD, HOLDER, 1)]
                if len(holder) != 1:
                    raise ValueError(f"{name} has a valid qualifier of {len(holder)} bits, not one")
                self.holders |= dict.fromkeys(bits, holder[0])

    def _take(self, name: str, cell: Mapping[str, Any]) -> None:
        kind, pins = cell["type"], {pin: bits[:1] for pin, bits in cell["connections"].items()}
        if kind in (*_CHECKS, "$scopeinfo"):
            return
        if kind == "$anyseq":
            outputs = cell["connections"]["Y"]
            self.anything |= set(outputs)
        elif kind == "$_AND_":
            outputs = pins["Y"]
            self.gates[outputs[0]] = (*pins["A"], *pins["B"])
        elif kind == "$_NOT_":
            outputs = pins["Y"]
            self.aliases[outputs[0]] = pins["A"][0], True
        elif kind == "$_DFF_P_":
            outputs = pins["Q"]
            self.registers[outputs[0]], self.clocks[outputs[0]] = pins["D"][0], pins["C"][0]
        else:
            raise ValueError(f"unknown cell type {kind}: {name}")
        for bit in outputs:
            if not isinstance(bit, int) or bit in self.inputs:
                raise ValueError(f"cell {name} drives a constant or an input")

    def _cut(self, name: str, bits: list[Any]) -> None:
        for driven, bit in itertools.product((self.gates, self.registers, self.aliases), bits):
            driven.pop(bit, None)
        abstraction = self.ports.get(name.replace(CUT, STAND_IN, 1))
        if abstraction is not None:
            if len(abstraction) != len(bits):
                raise ValueError(f"{name} has {len(bits)} bits, its abstraction {len(abstraction)}")
            pairs = zip(bits, abstraction, strict=True)
            self.aliases |= {bit: (other, False) for bit, other in pairs}

    def _order(self) -> list[Any]:
        """All bits that the checks depend on, each after its operands."""
        order: list[Any] = []
        state = {"0": True, "1": True}  # for visited bits: whether they are in `order`
        behind_registers: list[Any] = [bit for _, _, bits in _checks(self.top) for bit in bits]
        while behind_registers:
            todo = [(behind_registers.pop(), False)]
            while todo:
                bit, ready = todo.pop()
                if ready:
                    state[bit] = True
                    order.append(bit)
                elif bit == "x":
                    raise ValueError("an x is left in the netlist")
                elif bit not in state:
                    state[bit] = False
                    todo.append((bit, True))
                    todo += [(origin, False) for origin in self.origins(bit)]
                    if bit in self.registers:
                        behind_registers.append(self.registers[bit])
                        if bit in self.holders:
                            behind_registers.append(self.holders[bit])
                elif not state[bit]:
                    raise ValueError("the netlist has a combinational loop")
        return order

    def origins(self, bit: Any) -> tuple[Any, ...]:
        """The operands of a gate."""
        return self.gates.get(bit) or self.aliases.get(bit, ())[:1]

    def initial(self) -> dict[Any, int]:
        """The initial values of the registers that have one."""
        initial: dict[Any, int] = {}
        for name, net in self.top["netnames"].items():
            values = net["attributes"].get("init", "")[::-1]
            for bit, value in zip(net["bits"], values, strict=False):
                if value in "01" and initial.setdefault(bit, int(value)) != int(value):
                    raise ValueError(f"{name} has two initial values")
        return initial

    def _names(self) -> dict[Any, str]:
        """A name for each bit, from the source rather than generated by yosys."""
        names: dict[Any, str] = {}
        for name, net in sorted(self.top["netnames"].items(), key=lambda item: item[0][0] == "$"):
            for index, bit in enumerate(net["bits"]):
                names.setdefault(bit, f"{name}[{index}]" if len(net["bits"]) > 1 else name)
        return names

    def check_clock(self, held: Iterable[Any], order: Iterable[Any]) -> None:
        """Raise ValueError unless the registers `held` have one clock, an input not in `order`."""
        clocks = {self.clocks[bit] for bit in held}
        if len(clocks) > 1 or not clocks <= self.inputs.keys() or not clocks.isdisjoint(order):
            raise ValueError("not all registers have the same clock, an input with no other use")

    def circuit(self) -> Circuit:
        """The circuit of all checks."""
        order = self._order()
        held = [bit for bit in order if bit in self.registers]
        inputs = [
            bit
            for bit in order
            if not (bit in self.registers or bit in self.gates or bit in self.aliases)
        ]
        self.check_clock(held, order)
        result = Circuit()
        literal: dict[Any, int] = {"0": 0, "1": 1}
        for number, bit in enumerate((*inputs, *held), 1):
            literal[bit] = 2 * number
        shared: dict[tuple[int, int], int] = {}

        def both(a: int, b: int) -> int:
            """The AND gate of two literals; equal gates are shared."""
            pair = (min(a, b), max(a, b))
            if pair not in shared:
                result.gates.append(pair)
                shared[pair] = 2 * (len(inputs) + len(held) + len(result.gates))
            return shared[pair]

        for bit in order:
            if bit in self.gates:
                a, b = self.gates[bit]
                literal[bit] = both(literal[a], literal[b])
            elif bit in self.aliases:
                origin, inverted = self.aliases[bit]
                literal[bit] = literal[origin] ^ inverted
        number_of = {bit: number for number, bit in enumerate(held, 1)}
        for bit, holder in self.holders.items():
            if bit in number_of and holder not in number_of:
                raise ValueError("the valid qualifier of a register is not a register")
        initial, names = self.initial(), self._names()
        result.inputs = [self.inputs.get(bit, f"any#{n}") for n, bit in enumerate(inputs)]
        result.registers = [
            Register(
                names.get(bit, ""),
                literal[self.registers[bit]],
                initial.get(bit, ANY),
                number_of.get(self.holders.get(bit), 0),
            )
            for bit in held
        ]
        self._state_checks(result, literal, both)
        return result

    def _state_checks(self, result: Circuit, literal: Mapping[Any, int], both: Any) -> None:
        for kind, name, bits in _checks(self.top):
            literals = [literal[bit] for bit in bits]
            if kind == "assert":
                result.claims[name] = both(literals[0] ^ 1, literals[1]) ^ 1
            elif kind == "assume":
                result.suppositions[name] = both(literals[0] ^ 1, literals[1]) ^ 1
            elif kind == "cover":
                result.witnesses[name] = both(*literals)
            elif kind == ASSUME_FAIR:
                result.fair[name] = literals[0]
            elif kind in (LOOP_GOES_ON, LOOP_ENDS):
                result.loop[name] = literals[0]
            else:
                result.live[name] = literals[0]
