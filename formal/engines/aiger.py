"""A question about a circuit as a file that every hardware model checker reads: AIGER 1.9, binary.

Biere, Heljanko, Wieringa: "AIGER 1.9 And Beyond", FMV report 11/2, JKU Linz 2011. Claims are bad
states, suppositions are constraints, witnesses are outputs. A register that begins with any value
is a latch that is its own reset value; one that holds nothing without its holder then has a value
that is an input.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from formal.engines.circuit import ANY, Circuit
from properties.dialect import LOOP_ENDS, LOOP_GOES_ON

#: Literals by name.
Named = list[tuple[str, int]]
#: Outputs so called, before the name: what the justice properties are made from.
LIVE = "live#"


@dataclass
class Aiger:
    """What a file says. Variable 0 is false, then come inputs, latches, gates; a literal is 2n or,
    negated, 2n + 1.

    `latches` have a name, the next value, and the reset value: 0, 1 or `ANY`. Of each property of
    `justice` all literals stand infinitely often on a run that violates it, as do those of
    `fairness`.
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
        """The literal of a new gate. All inputs and latches must be there before."""
        self.gates.append((max(a, b), min(a, b)))
        return 2 * (self.first_gate + len(self.gates) - 1)

    def either(self, a: int, b: int) -> int:
        """The literal of a new gate."""
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
        """What a file says, which has a name for everything; raises ValueError when it is cut."""
        content = path.read_bytes()
        at = 0

        def line() -> str:
            nonlocal at
            end = content.index(b"\n", at)
            text, at = content[at:end].decode(), end + 1
            return text

        def number() -> int:
            nonlocal at
            value = shift = 0
            while True:
                byte, at = content[at], at + 1
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
        while at < len(content):
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
    """What `circuit` claims and supposes.

    Of each live condition there is a justice property (of a circuit with a loop two: that ends
    again and again, or goes on nowhere): some time, told by an input, it is high for the last time.
    Inputs, registers and gates stand in the order of the circuit, each before those added here.
    """
    held = [n for n, register in enumerate(circuit.registers) if register.holder]
    ways = ["", "#goes_on_nowhere"] if circuit.loop else [""]
    runs = [(name, way) for name in circuit.live for way in ways]
    file = Aiger()
    file.inputs = [
        *circuit.inputs,
        *(f"any#{circuit.registers[n].name}" for n in held),
        *(f"last#{name}{way}" for name, way in runs),
    ]
    first = 1 + len(circuit.inputs)
    shift = [len(file.inputs) - len(circuit.inputs)]
    shift.append(shift[0] + 2 * len(runs))

    def moved(literal: int) -> int:
        variable = literal // 2
        if variable < first:
            return literal
        return literal + 2 * shift[variable >= first + len(circuit.registers)]

    # Those of the circuit, and for each run whether the last time was, and whether it was not.
    file.latches = [(r.name, moved(r.next), r.initial) for r in circuit.registers]
    file.latches += [(f"{what}#{n}{way}", 0, 0) for n, way in runs for what in ("last", "not")]
    file.gates = [(max(moved(a), moved(b)), min(moved(a), moved(b))) for a, b in circuit.gates]
    for free, n in enumerate(held, first):
        name, following, initial = file.latches[n]
        kept = moved(circuit.registers[circuit.registers[n].holder - 1].next)
        lost = file.both(kept ^ 1, 2 * free)
        file.latches[n] = name, file.either(lost, file.both(kept, following)), initial
    for run, (name, way) in enumerate(runs):
        said = 2 * (first + len(held) + run)
        number = len(circuit.registers) + 2 * run
        begun, wrong = (2 * (1 + len(file.inputs) + number + n) for n in (0, 1))
        never = moved(circuit.live[name])
        also = []
        if circuit.loop and way:
            never = file.either(never, moved(circuit.loop[LOOP_GOES_ON]))
        elif circuit.loop:
            also = [moved(circuit.loop[LOOP_ENDS])]
        begins = file.either(begun, said)
        file.latches[number] = (file.latches[number][0], begins, 0)
        again = file.either(wrong, file.both(begun, never))
        file.latches[number + 1] = (file.latches[number + 1][0], again, 0)
        file.justice.append((f"{name}{way}", [file.both(begun, wrong ^ 1), *also]))
    file.outputs = [(name, moved(literal)) for name, literal in circuit.witnesses.items()]
    file.outputs += [(f"{LIVE}{name}", moved(literal)) for name, literal in circuit.live.items()]
    file.outputs += [(name, moved(literal)) for name, literal in circuit.loop.items()]
    file.bad = [(name, moved(literal) ^ 1) for name, literal in circuit.claims.items()]
    file.constraints = [(name, moved(literal)) for name, literal in circuit.suppositions.items()]
    file.fairness = [(name, moved(literal)) for name, literal in circuit.fair.items()]
    return file
