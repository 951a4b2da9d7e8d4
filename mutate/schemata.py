"""Mutant schemata: many mutants of a netlist in one, behind a select input.

The netlists are RTLIL as Amaranth writes it, one module for each component. A module that a mutant
changes becomes a wrapper with the original and every mutant's variant of it side by side: all get
the wrapper's inputs, and the input `vd_select` of the top level chooses whose outputs leave. 0 is
the original, and number k the k-th mutant. What is below a variant is the mutant's own. A variant
may read fewer inputs than the original, or others that are there. Where it does not fit, the module
above is the one that changes; where the top level does, the mutant cannot be merged.
"""

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SELECT = "\\vd_select"
SELECT_BITS = 16

_MODULE = re.compile(r"^module (\S+)\n(.*?)^end\n", re.M | re.S)
_CELL = re.compile(r"^  cell (\\\S+) (\S+)\n((?:    .*\n)*)  end\n", re.M)
_CONNECT = re.compile(r"^    connect (\S+) (.*)\n", re.M)
_NUMBERED = re.compile(r"\\port\$\d+\$")
_PORT = re.compile(r"^  wire width (\d+) (input|output) (\d+) +(?:signed )?(\S+)\n", re.M)

TOP = "\\top"


class NotMergeable(ValueError):
    """The netlist of a mutant differs in what cannot stand beside the original."""


@dataclass(frozen=True)
class Port:
    """A port of a module, with its name as in RTLIL."""

    name: str
    width: int
    is_input: bool


@dataclass(frozen=True)
class Child:
    """A module inside another: its name, that of the cell, and the net at each port."""

    module: str
    cell: str
    nets: dict[str, str]


@dataclass(frozen=True)
class Module:
    """A module: everything between its name and its end."""

    body: str

    @functools.cached_property
    def ports(self) -> dict[str, Port]:
        """The ports by name, in the order of the text."""
        found = _PORT.findall(self.body)
        return {name: Port(name, int(width), kind == "input") for width, kind, _, name in found}

    @functools.cached_property
    def children(self) -> list[Child]:
        """The modules that it instantiates."""
        cells = _CELL.findall(self.body)
        return [Child(name, cell, dict(_CONNECT.findall(nets))) for name, cell, nets in cells]

    @functools.cached_property
    def own(self) -> str:
        """The body without the modules that it instantiates."""
        return _CELL.sub(r"  cell \\ \2\n", self.body)


class Design:
    """The modules of a netlist, the ports without a name of their own renumbered.

    Amaranth calls the port of a slice ``port$N$bit``, with a number N that counts cells of the
    whole design and so differs when any part of it does. Here they count from 0 in each module.
    """

    def __init__(self, text: str):
        self.modules = {name: Module(_renumbered(body)) for name, body in _MODULE.findall(text)}
        self._digests: dict[str, str] = {}

    def digest(self, name: str) -> str:
        """Of a module with all below it, whatever they are called."""
        if name not in self._digests:
            module = self.modules[name]
            parts = [module.own]
            parts += [f"{self.digest(child.module)}{child.nets}" for child in module.children]
            self._digests[name] = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return self._digests[name]


def _renumbered(body: str) -> str:
    own = _ranks(" ".join(name for _, _, _, name in _PORT.findall(body)))
    body = _NUMBERED.sub(lambda match: own.get(match[0], match[0]), body)

    def cell(match: re.Match[str]) -> str:
        ranks = _ranks(" ".join(port for port, _ in _CONNECT.findall(match[3])))
        nets = "".join(
            f"    connect {_NUMBERED.sub(lambda port: ranks[port[0]], port)} {net}\n"
            for port, net in _CONNECT.findall(match[3])
        )
        return f"  cell {match[1]} {match[2]}\n{nets}  end\n"

    return _CELL.sub(cell, body)


def _ranks(ports: str) -> dict[str, str]:
    """New names for the numbered ports among `ports`, in the order of their numbers."""
    numbered = sorted(set(_NUMBERED.findall(ports)), key=lambda name: int(name[6:-1]))
    return {name: f"\\port.{rank}$" for rank, name in enumerate(numbered)}


@dataclass(frozen=True)
class Place:
    """A module that a mutant changes, as it stands in the original and in the mutant."""

    before: Child
    after: Child

    @property
    def name(self) -> str:
        """The name of the module in the original."""
        return self.before.module

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs that only the mutant reads, with the net at each."""
        nets = self.after.nets
        return {name: net for name, net in nets.items() if name not in self.before.nets}


def places(original: Design, mutant: Design) -> list[Place]:
    """The modules that the mutant changes; raises NotMergeable."""
    found = _below(original, mutant, TOP, TOP)
    if found is None:
        raise NotMergeable("the top level differs")
    return found


def _below(original: Design, mutant: Design, name: str, other: str) -> list[Place] | None:
    """The changed modules below two modules; None if it is these themselves that differ."""
    before, after = original.modules[name], mutant.modules[other]
    if before.own != after.own:
        return None
    found: list[Place] = []
    for old, new in zip(before.children, after.children, strict=True):
        nets_differ = old.nets != new.nets
        if not nets_differ and original.digest(old.module) == mutant.digest(new.module):
            continue
        inside = None if nets_differ else _below(original, mutant, old.module, new.module)
        if inside is None:
            place = _place(original, mutant, old, new)
            if place is None:
                return None
            inside = [place]
        found += inside
    return found


def _place(original: Design, mutant: Design, old: Child, new: Child) -> Place | None:
    """The place of a changed module, if the mutant's fits: all outputs, and the same nets."""
    place = Place(old, new)
    before, after = original.modules[old.module].ports, mutant.modules[new.module].ports
    fits = all(old.nets[name] == net for name, net in new.nets.items() if name in old.nets)
    fits &= all(after.get(port.name) == port for port in before.values() if not port.is_input)
    fits &= all(before[name] == after[name] for name in before.keys() & after.keys())
    fits &= all(after[name].is_input for name in place.inputs)
    return place if fits else None


def merged(original: str, mutants: Sequence[str]) -> str:
    """One netlist with the original and all `mutants`, which has the input `vd_select`.

    Raises NotMergeable.
    """
    merge = _Merge([Design(original), *map(Design, mutants)])
    return merge.text()


class _Merge:
    """Writes the modules of the original, of the mutants, and the wrappers around both."""

    def __init__(self, designs: list[Design]):
        self.designs = designs
        self.original = designs[0].modules
        self.written: dict[str, str] = {}
        #: By the name of the original module: the mutants' modules there, by the mutant's number.
        self.variants: dict[str, dict[int, str]] = defaultdict(dict)
        #: The inputs that mutants add to a module, with the nets there.
        self.extra: dict[str, dict[str, str]] = defaultdict(dict)
        for number, design in enumerate(designs[1:], 1):
            for place in places(designs[0], design):
                self.variants[place.name][number] = place.after.module
                for port, net in place.inputs.items():
                    if self.extra[place.name].setdefault(port, net) != net:
                        raise NotMergeable(f"two mutants add {port} to {place.name}")

    def text(self) -> str:
        """The netlist."""
        self._write_original(TOP, TOP)
        if not self._is_selected(TOP):
            self.written[TOP] = self._select_wire(TOP) + self.written[TOP]
        modules = "".join(f"module {name}\n{body}end\n" for name, body in self.written.items())
        return modules.replace(f"module {TOP}\n", f"attribute \\top 1\nmodule {TOP}\n", 1)

    def _is_selected(self, name: str) -> bool:
        """Whether a module of the original has variants in it or below."""
        below = (child.module for child in self.original[name].children)
        return name in self.variants or any(map(self._is_selected, below))

    def _write_original(self, name: str, called: str) -> None:
        """Write a module of the original as `called`, with wrappers where there are variants."""
        body = self.original[name].body
        for child in self.original[name].children:
            if child.module in self.variants:
                self._write_wrapper(child.module)
            else:
                self._write_original(child.module, child.module)
            if self._is_selected(child.module):
                nets = {SELECT: SELECT} | self.extra[child.module]
                cell = f"  cell {child.module} {child.cell}\n"
                body = body.replace(cell, cell + _connects(nets), 1)
        below = any(self._is_selected(child.module) for child in self.original[name].children)
        self.written[called] = (self._select_wire(name) if below else "") + body

    def _write_wrapper(self, name: str) -> None:
        """Write a module in which the original and all its variants stand side by side."""
        ports = dict(self.original[name].ports)
        below = any(self._is_selected(child.module) for child in self.original[name].children)
        self._write_original(name, f"{name}.original")
        for number, other in self.variants[name].items():
            added = self.designs[number].modules[other].ports
            ports |= {port: added[port] for port in self.extra[name] if port in added}
            self._write_mutated(number, other)
        outputs = [port for port in self.original[name].ports.values() if not port.is_input]
        tags = ["original", *(f"mutant_{number}" for number in self.variants[name])]
        wires = [self._select_wire(name)]
        for position, port in enumerate(ports.values()):
            kind = "input" if port.is_input else "output"
            wires.append(f"  wire width {port.width} {kind} {position} {port.name}\n")
        cells = []
        for tag in tags:
            wires += [f"  wire width {port.width} {port.name}.{tag}\n" for port in outputs]
        names = [f"{name}.original"]
        names += [f"{other}.mutant_{number}" for number, other in self.variants[name].items()]
        for tag, module in zip(tags, names, strict=True):
            selected = tag == "original" and below
            cells.append(self._instance(module, tag, selected))
        for number in self.variants[name]:
            wires.append(f"  wire width 1 \\is_{number}\n")
            cells.append(_is_chosen(number))
        for port in outputs:
            current = f"{port.name}.original"
            for number in self.variants[name]:
                chosen = f"{port.name}.chosen_{number}"
                wires.append(f"  wire width {port.width} {chosen}\n")
                cells.append(_choice(port, number, current, chosen))
                current = chosen
            cells.append(f"  connect {port.name} {current}\n")
        self.written[name] = "".join(wires + cells)

    def _write_mutated(self, number: int, name: str) -> None:
        """Write a module of a mutant with all below it, under names of its own."""
        module = self.designs[number].modules[name]
        for child in module.children:
            self._write_mutated(number, child.module)
        tagged = rf"  cell \1.mutant_{number} \2\n\3  end\n"
        self.written[f"{name}.mutant_{number}"] = _CELL.sub(tagged, module.body)

    def _instance(self, module: str, tag: str, selected: bool) -> str:
        """A cell of a written `module` inside of its wrapper."""
        ports = Module(self.written[module]).ports.values()
        nets = {port.name: port.name + ("" if port.is_input else f".{tag}") for port in ports}
        nets.pop(SELECT, None)
        nets |= {SELECT: SELECT} if selected else {}
        return f"  cell {module} \\{tag}\n{_connects(nets)}  end\n"

    def _select_wire(self, name: str) -> str:
        position = len(self.original[name].ports) + len(self.extra[name])
        return f"  wire width {SELECT_BITS} input {position} {SELECT}\n"


def _connects(nets: dict[str, str]) -> str:
    return "".join(f"    connect {port} {net}\n" for port, net in nets.items())


def _is_chosen(number: int) -> str:
    """The comparison that raises the wire ``is_number``."""
    return f"""\
  cell $eq \\compare_{number}
    parameter \\A_SIGNED 0
    parameter \\A_WIDTH {SELECT_BITS}
    parameter \\B_SIGNED 0
    parameter \\B_WIDTH {SELECT_BITS}
    parameter \\Y_WIDTH 1
    connect \\A {SELECT}
    connect \\B {SELECT_BITS}'{number:0{SELECT_BITS}b}
    connect \\Y \\is_{number}
  end
"""


def _choice(port: Port, number: int, otherwise: str, chosen: str) -> str:
    """The choice between an output of a mutant's variant and what is chosen otherwise."""
    return f"""\
  cell $mux {port.name}.choice_{number}
    parameter \\WIDTH {port.width}
    connect \\A {otherwise}
    connect \\B {port.name}.mutant_{number}
    connect \\S \\is_{number}
    connect \\Y {chosen}
  end
"""
