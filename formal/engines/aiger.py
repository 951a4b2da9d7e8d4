"""Reads and writes AIGER 1.9 (binary), the format of hardware model checkers.

Biere, Heljanko, Wieringa: "AIGER 1.9 And Beyond", FMV report 11/2, JKU Linz 2011. Claims are bad
states, suppositions are constraints, witnesses are outputs. A register with any initial value is a
latch whose reset value is itself. While its valid qualifier is low, a qualified register has the
value of an input.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from formal.engines.circuit import ANY, Circuit
from properties.dialect import LOOP_ENDS, LOOP_GOES_ON

#: Literals by name.
Named = list[tuple[str, int]]
#: Prefix of the outputs from which justice properties are made.
LIVE = "live#"


@dataclass
class Aiger:
    """The content of a file. Variable 0 is false, followed by inputs, latches, gates; literal 2n is
    variable n, 2n + 1 its negation.

    `latches` have a name, the next value, and the reset value: 0, 1 or `ANY`. On a run that
    violates a property of `justice`, all of its literals, and those of `fairness`, are high
    infinitely often.
    """

    inputs: list[str] = field(default_factory=list)
    latches: list[tuple[str, int, int]] = field(default_factory=list)
    gates: list[tuple[int, int]] = field(default_factory=list)
    outputs: Named = field(default_factory=list)
    bad: Named = field(default_factory=list)
    constraints: Named = field(default_factory=list)
    justice: list[tuple[str, list[int]]] = field(default_factory=list)
    fairness: Named = field(default_factory=list)

    @property
    def first_gate(self) -> int:
        """The variable of the first gate."""
        return 1 + len(self.inputs) + len(self.latches)

    def both(self, a: int, b: int) -> int:
        """The literal of a new AND gate. All inputs and latches must exist already."""
        self.gates.append((max(a, b), min(a, b)))
        return 2 * (self.first_gate + len(self.gates) - 1)

    def either(self, a: int, b: int) -> int:
        """The literal of a new OR gate."""
        return self.both(a ^ 1, b ^ 1) ^ 1

    def write(self, path: Path) -> None:
        """Write the file."""
        groups = (self.outputs, self.bad, self.constraints, self.justice, self.fairness)
        outputs, bad, constraints, justice, fairness = [len(group) for group in groups]
        sizes = [len(self.inputs), len(self.latches), outputs, len(self.gates)]
        sizes += [bad, constraints, justice, fairness]
        lines = [" ".join(map(str, ["aig", self.first_gate - 1 + len(self.gates), *sizes]))]
        for n, (_, following, reset) in enumerate(self.latches, 1 + len(self.inputs)):
            lines.append(f"{following} {2 * n if reset == ANY else reset}")
        lines += [str(literal) for part in groups[:3] for _, literal in part]
        lines += [str(len(literals)) for _, literals in self.justice]
        lines += [str(literal) for _, literals in self.justice for literal in literals]
        lines += [str(literal) for _, literal in self.fairness]
        gates = bytearray()
        for n, (a, b) in enumerate(self.gates, self.first_gate):
            for rest in (2 * n - a, a - b):
                while rest > 127:
                    gates.append(rest & 127 | 128)
                    rest >>= 7
                gates.append(rest)
        names: list[Iterable[str]] = [self.inputs, [name for name, *_ in self.latches]]
        names += [[name for name, _ in part] for part in groups]
        symbols = [
            f"{kind}{n} {name}"
            for kind, part in zip("ilobcjf", names, strict=True)
            for n, name in enumerate(part)
        ]
        text = ["".join(f"{line}\n" for line in part) for part in (lines, symbols)]
        path.write_bytes(text[0].encode() + gates + text[1].encode())

    @classmethod
    def read(cls, path: Path) -> "Aiger":
        """Read a file with a symbol for every item; raises ValueError if it is truncated."""
        content = path.read_bytes()
        position = 0

        def line() -> str:
            nonlocal position
            end = content.index(b"\n", position)
            text, position = content[position:end].decode(), end + 1
            return text

        def number() -> int:
            nonlocal position
            value = shift = 0
            while True:
                byte, position = content[position], position + 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value

        _, last, *sizes = line().split()
        inputs, latches, outputs, gates, bad, constraints, justice, fairness = map(int, sizes)
        if int(last) != inputs + latches + gates:
            raise ValueError(f"{path.name} counts {last} variables")
        file = cls(inputs=[""] * inputs)
        for n in range(latches):
            following, reset = map(int, line().split())
            own = 2 * (1 + inputs + n)
            file.latches.append(("", following, ANY if reset == own else reset))
        literals = [[int(line()) for _ in range(n)] for n in (outputs, bad, constraints)]
        lengths = [int(line()) for _ in range(justice)]
        together = [[int(line()) for _ in range(n)] for n in lengths]
        literals.append([int(line()) for _ in range(fairness)])
        for n in range(gates):
            a = 2 * (file.first_gate + n) - number()
            file.gates.append((a, a - number()))
        names: dict[str, list[str]] = {kind: [] for kind in "ilobcjf"}
        while position < len(content):
            kind_and_number, name = line().split(" ", 1)
            names[kind_and_number[0]].append(name)
        file.inputs = names["i"]
        file.latches = [
            (name, following, reset)
            for name, (_, following, reset) in zip(names["l"], file.latches, strict=True)
        ]
        file.outputs, file.bad, file.constraints, file.fairness = (
            list(zip(names[kind], part, strict=True))
            for kind, part in zip("obcf", literals, strict=True)
        )
        file.justice = list(zip(names["j"], together, strict=True))
        return file


def question(circuit: Circuit) -> Aiger:
    """The AIGER file of `circuit`.

    Each live condition becomes a justice property: the condition is high for the last time at some
    cycle, chosen by an input. With a loop there are two, one for runs on which the loop ends
    infinitely often, and one for runs on which it does not go on. Inputs, registers and gates are
    in the order of the circuit, before those added here.
    """
    qualified = [n for n, register in enumerate(circuit.registers) if register.holder]
    variants = ["", "#goes_on_nowhere"] if circuit.loop else [""]
    runs = [(name, variant) for name in circuit.live for variant in variants]
    file = Aiger()
    file.inputs = [
        *circuit.inputs,
        *(f"any#{circuit.registers[n].name}" for n in qualified),
        *(f"last#{name}{variant}" for name, variant in runs),
    ]
    first = 1 + len(circuit.inputs)
    shift = [len(file.inputs) - len(circuit.inputs)]
    shift.append(shift[0] + 2 * len(runs))

    def moved(literal: int) -> int:
        variable = literal // 2
        if variable < first:
            return literal
        return literal + 2 * shift[variable >= first + len(circuit.registers)]

    # The latches of the circuit; and for each run, whether the last time has passed, and whether
    # the condition was high again after it.
    file.latches = [(r.name, moved(r.next), r.initial) for r in circuit.registers]
    file.latches += [
        (f"{kind}#{name}{variant}", 0, 0) for name, variant in runs for kind in ("last", "not")
    ]
    file.gates = [(max(moved(a), moved(b)), min(moved(a), moved(b))) for a, b in circuit.gates]
    for free, n in enumerate(qualified, first):
        name, following, initial = file.latches[n]
        kept = moved(circuit.registers[circuit.registers[n].holder - 1].next)
        lost = file.both(kept ^ 1, 2 * free)
        file.latches[n] = name, file.either(lost, file.both(kept, following)), initial
    for run, (name, variant) in enumerate(runs):
        chosen = 2 * (first + len(qualified) + run)
        number = len(circuit.registers) + 2 * run
        begun, wrong = (2 * (1 + len(file.inputs) + number + n) for n in (0, 1))
        never = moved(circuit.live[name])
        also = []
        if circuit.loop and variant:
            never = file.either(never, moved(circuit.loop[LOOP_GOES_ON]))
        elif circuit.loop:
            also = [moved(circuit.loop[LOOP_ENDS])]
        begins = file.either(begun, chosen)
        file.latches[number] = (file.latches[number][0], begins, 0)
        again = file.either(wrong, file.both(begun, never))
        file.latches[number + 1] = (file.latches[number + 1][0], again, 0)
        file.justice.append((f"{name}{variant}", [file.both(begun, wrong ^ 1), *also]))
    file.outputs = [(name, moved(literal)) for name, literal in circuit.witnesses.items()]
    file.outputs += [(f"{LIVE}{name}", moved(literal)) for name, literal in circuit.live.items()]
    file.outputs += [(name, moved(literal)) for name, literal in circuit.loop.items()]
    file.bad = [(name, moved(literal) ^ 1) for name, literal in circuit.claims.items()]
    file.constraints = [(name, moved(literal)) for name, literal in circuit.suppositions.items()]
    file.fairness = [(name, moved(literal)) for name, literal in circuit.fair.items()]
    return file
