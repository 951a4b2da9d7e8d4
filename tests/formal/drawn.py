"""Small random circuits, as RTLIL text and as a model in Python whose states are all visited.

A toy has one clock and a few bits of everything: inputs, undriven nets, an x, registers
with an initial value or without, with an enable or a reset, a memory, gates. The text is for the
engines; `broken` and `unanswered` say what is true, by nothing but loops over all values.
"""

import functools
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

#: In the place of a node: an operand that is an x.
X = -1
_GATES = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "mux": lambda a, b, s: b if s else a,
    "not": lambda a: 1 - a,
}


@dataclass(frozen=True)
class Register:
    """Nodes of its next value, of an enable and of a synchronous reset to 0, or None."""

    next: int
    initial: int | None
    enable: int | None = None
    reset: int | None = None


@dataclass(frozen=True)
class Memory:
    """Two words of one bit with any content, a clocked write port and a read port that is none."""

    write_at: int
    data: int
    enable: int
    read_at: int


@dataclass(frozen=True)
class Toy:
    """Nodes are numbered: 0, 1, inputs, undriven nets, registers, the read data of the memory (if
    any), gates. A check is an enable and a condition."""

    inputs: int
    undriven: int
    registers: tuple[Register, ...]
    memory: Memory | None
    gates: tuple[tuple[str, tuple[int, ...]], ...]
    claims: tuple[tuple[int, int], ...]
    suppositions: tuple[tuple[int, int], ...]
    fair: tuple[int, ...] = ()
    live: tuple[int, ...] = ()
    loop: tuple[int, int] | None = None
    #: A register, and its valid qualifier.
    held: tuple[int, int] | None = None
    #: A register that is replaced by a free value.
    cut: int | None = None

    @property
    def first_register(self) -> int:
        """The node of the first register."""
        return 2 + self.inputs + self.undriven

    @property
    def first_gate(self) -> int:
        """The node of the first gate."""
        return self.first_register + len(self.registers) + bool(self.memory)

    @functools.cached_property
    def words(self) -> int:
        """Bits that the memory keeps."""
        return 2 if self.memory else 0

    # What is true.

    def initial(self) -> Iterator[tuple[int, ...]]:
        """Every initial state: registers, then words."""
        ranges = [(0, 1) if r.initial is None else (r.initial,) for r in self.registers]
        return itertools.product(*ranges, *[(0, 1)] * self.words)

    def steps(self, state: tuple[int, ...]) -> Iterator[tuple[list[int], tuple[int, ...]]]:
        """The values of all nodes, and the next state, for all free values and suppositions."""
        unknown = sum(operands.count(X) for _, operands in self.gates)
        given = self.inputs + self.undriven
        for free in itertools.product((0, 1), repeat=given + unknown):
            values = [0, 1, *free[:given], *state[: len(self.registers)]]
            xs = iter(free[given:])
            if self.memory:
                # Its address stands before it.
                values.append(state[len(self.registers) + values[self.memory.read_at]])
            for kind, operands in self.gates:
                pins = [next(xs) if node == X else values[node] for node in operands]
                values.append(_GATES[kind](*pins))
            if all(values[node] for enable, node in self.suppositions if values[enable]):
                yield values, self._next(state, values)

    def _next(self, state: tuple[int, ...], values: list[int]) -> tuple[int, ...]:
        after = []
        for was, register in zip(state, self.registers, strict=False):
            if register.reset is not None and values[register.reset]:
                after.append(0)
            elif register.enable is not None and not values[register.enable]:
                after.append(was)
            else:
                after.append(values[register.next])
        words = list(state[len(self.registers) :])
        if self.memory and values[self.memory.enable]:
            words[values[self.memory.write_at]] = values[self.memory.data]
        return (*after, *words)

    @functools.cached_property
    def graph(self) -> dict[tuple[int, ...], list[tuple[list[int], tuple[int, ...]]]]:
        """The steps from every reachable state."""
        graph: dict[tuple[int, ...], list[tuple[list[int], tuple[int, ...]]]] = {}
        todo = list(self.initial())
        while todo:
            state = todo.pop()
            if state not in graph:
                graph[state] = list(self.steps(state))
                todo += [after for _, after in graph[state]]
        return graph

    def broken(self) -> set[str]:
        """Names of the claims that are not true."""
        return {
            f"c{n}"
            for steps in self.graph.values()
            for values, _ in steps
            for n, (enable, node) in enumerate(self.claims)
            if values[enable] and not values[node]
        }

    def unanswered(self) -> set[str]:
        """Names of the live conditions that some fair run violates: from some cycle on, never."""
        names = set()
        for n, live in enumerate(self.live):
            if self.loop is None:
                runs = self._runs({live}, set(self.fair))
            else:
                goes_on, ends = self.loop
                runs = self._runs({live}, {*self.fair, ends})
                runs = runs or self._runs({live, goes_on}, set(self.fair))
            if runs:
                names.add(f"l{n}")
        return names

    def _runs(self, never: set[int], again: set[int]) -> bool:
        """Whether there is an infinite run without `never`, with each of `again` infinitely often:
        the greatest set of states from which a step of each kind is reachable within it."""
        edges = [
            (state, values, after)
            for state, steps in self.graph.items()
            for values, after in steps
            if not any(values[node] for node in never)
        ]
        inside = set(self.graph)
        while True:
            fewer = set(inside)
            for node in (1, *again):
                good = {s for s, v, t in edges if v[node] and s in fewer and t in fewer}
                while more := {
                    s for s, _, t in edges if t in good and s in fewer and s not in good
                }:
                    good |= more
                fewer &= good
            if fewer == inside:
                return bool(inside)
            inside = fewer

    def origins(self, node: int) -> tuple[set[int], set[int]]:
        """The nodes that one is computed from in the same cycle, and in the cycle before."""
        register, gate = node - self.first_register, node - self.first_gate
        if gate >= 0:
            return set(self.gates[gate][1]) - {X}, set()
        if register == len(self.registers) and self.memory:
            written = {self.memory.write_at, self.memory.data, self.memory.enable}
            return {self.memory.read_at}, written
        if register >= 0:
            own = self.registers[register]
            pins = {own.next, own.enable, own.reset}
            return set(), {pin for pin in pins if pin is not None}
        return set(), set()

    def cone(self, node: int, *, registers: bool) -> set[int]:
        """All nodes that one is computed from, itself among them."""
        nodes, todo = {node}, [node]
        while todo:
            now, before = self.origins(todo.pop())
            fresh = (now | before if registers else now) - nodes
            nodes |= fresh
            todo += fresh
        return nodes

    # For the engines.

    def name(self, node: int) -> str:
        """The wire of a node, or its constant."""
        return {X: "1'x", 0: "1'0", 1: "1'1"}.get(node, f"\\n{node}")

    def text(self, ends: dict[str, int] | None = None) -> str:
        """RTLIL, with outputs of other names for the nodes `ends`."""
        lines, ports = ["wire input 1 \\clk"], 1
        count = self.first_gate + len(self.gates)
        for node in range(2, count):
            place = node - self.first_register
            if 0 <= place < len(self.registers) and self.registers[place].initial is not None:
                lines.append(f"attribute \\init 1'{self.registers[place].initial}")
            ports += node < 2 + self.inputs
            given = f"input {ports} " if node < 2 + self.inputs else ""
            lines.append(f"wire {given}{self.name(node)}")
        outputs = dict(ends or {})
        outputs |= {f"assume_fair_f{n}": node for n, node in enumerate(self.fair)}
        outputs |= {f"assert_fair_l{n}": node for n, node in enumerate(self.live)}
        if self.loop:
            outputs |= dict(zip(("loop_goes_on", "loop_ends"), self.loop, strict=True))
        if self.held:
            first = self.first_register
            outputs |= {"held_r": first + self.held[0], "holder_r": first + self.held[1]}
        if self.cut is not None:
            outputs["cut_r"] = self.first_register + self.cut
        for n, (name, node) in enumerate(outputs.items(), ports + 1):
            lines += [f"wire output {n} \\{name}", f"connect \\{name} {self.name(node)}"]
        lines += [line for cell in self._cells() for line in cell]
        return "\n".join(["module \\top", *lines, "end", ""])

    def _cells(self) -> Iterator[list[str]]:
        for n, register in enumerate(self.registers):
            pins = {"D": register.next, "Q": self.first_register + n}
            kind, parameters = "dff", dict[str, object](WIDTH=1, CLK_POLARITY=1)
            if register.enable is not None:
                kind, pins["EN"], parameters["EN_POLARITY"] = "dffe", register.enable, 1
            if register.reset is not None:
                kind = "sdffe" if kind == "dffe" else "sdff"
                pins["SRST"], parameters["SRST_POLARITY"] = register.reset, 1
                parameters["SRST_VALUE"] = "1'0"
            yield cell(kind, f"r{n}", parameters, {"CLK": "\\clk"} | self._wires(pins))
        shown = self.first_register + len(self.registers)
        if self.memory:
            yield ["memory width 1 size 2 \\m"]
            sizes = {"MEMID": '"\\\\m"', "ABITS": 1, "WIDTH": 1, "CLK_ENABLE": 1, "CLK_POLARITY": 1}
            pins = {
                "ADDR": self.memory.write_at,
                "DATA": self.memory.data,
                "EN": self.memory.enable,
            }
            write = sizes | {"PORTID": 0, "PRIORITY_MASK": 0}
            yield cell("memwr_v2", "w", write, {"CLK": "\\clk"} | self._wires(pins))
            zeros = dict.fromkeys(("TRANSPARENCY_MASK", "COLLISION_X_MASK", "CE_OVER_SRST"), "1'0")
            read = sizes | {"CLK_ENABLE": 0} | zeros
            read |= {f"{kind}_VALUE": "1'x" for kind in ("ARST", "SRST", "INIT")}
            pins = {"ADDR": self.memory.read_at, "DATA": shown, "EN": 1, "ARST": 0, "SRST": 0}
            yield cell("memrd_v2", "q", read, {"CLK": "1'x"} | self._wires(pins))
        for n, (kind, operands) in enumerate(self.gates):
            pins = dict(zip("ABS", operands, strict=False))
            pins["Y"] = self.first_gate + n
            parameters = {"WIDTH": 1}
            if kind != "mux":
                widths = [f"{pin}_WIDTH" for pin in pins]
                parameters = dict.fromkeys(widths, 1)
                parameters |= {f"{pin}_SIGNED": 0 for pin in pins if pin != "Y"}
            yield cell(kind, f"g{n}", parameters, self._wires(pins))
        for kind, checks in (("assert", self.claims), ("assume", self.suppositions)):
            for n, (enable, node) in enumerate(checks):
                pins = self._wires({"A": node, "EN": enable})
                yield cell(kind, f"t.{kind}_c{n}", {}, pins)

    def _wires(self, pins: dict[str, int]) -> dict[str, str]:
        return {pin: self.name(node) for pin, node in pins.items()}


def cell(kind: str, name: str, parameters: dict, pins: dict[str, str]) -> list[str]:
    """Lines of a cell."""
    return [
        f"cell ${kind} \\{name}",
        *(f"parameter \\{key} {value}" for key, value in parameters.items()),
        *(f"connect \\{pin} {value}" for pin, value in pins.items()),
        "end",
    ]


def toy(seed: int) -> Toy:
    """The toy of a seed: every other one is right, and all have a few states and steps."""
    draw = random.Random(seed)
    while True:
        drawn = _drawn(draw)
        steps = sum(len(steps) for steps in drawn.graph.values())
        is_right = not drawn.broken() | drawn.unanswered()
        if len(drawn.graph) > 3 and steps > 8 and is_right == seed % 2:
            return drawn


def _drawn(draw: random.Random) -> Toy:
    inputs, undriven = draw.randint(1, 2), draw.random() < 0.3
    count, has_memory = draw.randint(2, 4), draw.random() < 0.3
    first = 2 + inputs + undriven + count
    gates: list[tuple[str, tuple[int, ...]]] = []
    xs = 1 if draw.random() < 0.3 else 0
    for n in range(draw.randint(4, 10)):
        kind = draw.choice([*_GATES, "and", "mux"])
        operands = [draw.randrange(2, first + has_memory + n) for _ in range(_arity(kind))]
        if xs and kind in ("and", "or", "mux") and draw.random() < 0.5:
            operands[0], xs = X, 0
        gates.append((kind, tuple(operands)))
    nodes = range(2, first + has_memory + len(gates))
    late = range(first + has_memory, nodes.stop)

    def perhaps(chance: float) -> int | None:
        return draw.choice(nodes) if draw.random() < chance else None

    registers = tuple(
        Register(draw.choice(late), draw.choice((0, 0, 1, None)), perhaps(0.2), perhaps(0.2))
        for _ in range(count)
    )
    memory = None
    if has_memory:
        memory = Memory(draw.choice(nodes), draw.choice(nodes), draw.choice(nodes), 0)
        # A read address that is no gate stands before what is read.
        read_at = draw.randrange(2, first)
        memory = Memory(memory.write_at, memory.data, memory.enable, read_at)
    supposed = tuple((1, draw.choice(late)) for _ in range(draw.random() < 0.3))
    is_live = draw.random() < 0.5
    claims, live = (
        ((), (draw.choice(nodes),))
        if is_live
        else (((draw.choice((1, 1, late[0])), draw.choice(late)),), ())
    )
    fair = tuple(draw.choice(nodes) for _ in range(draw.randint(0, 2))) if is_live else ()
    loop = (draw.choice(nodes), draw.choice(nodes)) if is_live and draw.random() < 0.3 else None
    held = tuple(draw.sample(range(count), 2)) if draw.random() < 0.15 else None
    cut = draw.randrange(count) if draw.random() < 0.1 else None
    return Toy(
        inputs, int(undriven), registers, memory, tuple(gates), claims, supposed, fair, live, loop,
        held, cut,
    )  # fmt: skip


def _arity(kind: str) -> int:
    return {"mux": 3, "not": 1}.get(kind, 2)
