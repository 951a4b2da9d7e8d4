"""Whether a mutant in the design that nobody sees is equivalent to the original, proved by ABC.

Every module that the mutant changes in the netlist of a decoder is compared with the original's,
both with the same free inputs, from power-on and for ever. That is more than their callers ask of
them, so what is proved holds; what is not proved remains a survivor. Undefined bits, such as words
behind the end of a memory, are 0 in both, as in the simulation.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from formal.engines.programs import launch
from mutate.baseline import Decoder, Progress
from mutate.cases import Case
from mutate.process import call
from mutate.rounds import ELABORATION
from mutate.schemata import Child, Design, NotMergeable, Place, places
from tools.yosys import BuildError, run_yosys

#: Seconds of CPU time for one module.
LIMIT = 60

_SCRIPT = """\
read_rtlil {side}.il
hierarchy -top {side}
proc
memory_collect
memory_map
setundef -zero
flatten
opt -full
write_rtlil {side}.flat
"""
_MITER = """\
read_rtlil original.flat
read_rtlil mutant.flat
miter -equiv -flatten original mutant miter
hierarchy -top miter
delete original mutant
opt -full
setundef -init -zero
techmap
dffunmap
aigmap
opt_clean
write_aiger -zinit miter.aig
"""
#: A net with the highest of its bits, in what a port is connected to.
_NET = re.compile(r"(\\\S+)(?: \[(\d+)(?::\d+)?\])?")
#: Signal correspondence leaves nothing of a difference that is none; PDR decides the rest.
_PROOF = "read_aiger miter.aig; strash; scorr; write_aiger -s proved.aig; pdr"


class Equivalence:
    """Looks for proofs of equivalence, decoder by decoder."""

    def __init__(self, decoders: Sequence[Decoder], folder: Path, progress: Progress):
        self.decoders = {decoder.name: decoder for decoder in decoders}
        self.folder = folder / "equivalence"
        self.progress = progress
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, cases: Sequence[Case]) -> None:
        """Note in each case the decoders in which it is proved equivalent."""
        for number, case in enumerate(cases, 1):
            for name in case.differs_in:
                self.progress(f"equivalence: {number}/{len(cases)} {case.name} in {name}")
                if not self._is_equivalent(case, self.decoders[name]):
                    break
                case.proved_in.append(name)

    def _is_equivalent(self, case: Case, decoder: Decoder) -> bool:
        path = self.folder / "whole.il"
        answer = call(
            "mutate.inside.netlists:elaborate", decoder.name, path,
            path=case.path, content=case.change.content, limit=ELABORATION,
        )  # fmt: skip
        if not answer.is_known:
            case.undecided.append(f"equivalence in {decoder.name}: {answer.detail}")
        if answer.status != "done" or answer.value != decoder.constants:
            return False
        original, mutant = Design(decoder.netlist), Design(path.read_text("utf-8"))
        try:
            changed = places(original, mutant)
        except NotMergeable:
            return False
        return all(self._proved(case, original, mutant, place) for place in changed)

    def _proved(self, case: Case, original: Design, mutant: Design, place: Place) -> bool:
        """Whether a module has the same outputs for ever."""
        sides = (("original", original, place.before), ("mutant", mutant, place.after))
        try:
            for side, design, child in sides:
                modules = [_around(side, design, child, _inputs(original, mutant, place))]
                modules += _below(design, child.module)
                (self.folder / f"{side}.il").write_text("".join(modules))
                run_yosys(_SCRIPT.format(side=side), self.folder)
            run_yosys(_MITER, self.folder)
            command = ["limited", str(launch.abc_program()), "-c", _PROOF]
            proof = launch.run(command, self.folder, LIMIT, capture_output=True, text=True)
        except (BuildError, subprocess.CalledProcessError):
            return False  # a combinational loop, for which AIGER has no form
        except subprocess.TimeoutExpired:
            case.undecided.append(f"equivalence of {place.name}: no proof in {LIMIT} s of CPU time")
            return False
        return "Property proved" in proof.stdout or _is_never(self.folder / "proved.aig")


def _is_never(path: Path) -> bool:
    """Whether the only output of an AIGER file is 0: about that PDR reports nothing."""
    header, *lines = path.read_bytes().split(b"\n")
    return lines[int(header.split()[3])] == b"0"


def _below(design: Design, name: str) -> Iterator[str]:
    """The text of a module and of all below it."""
    yield f"module {name}\n{design.modules[name].body}end\n"
    for child in design.modules[name].children:
        yield from _below(design, child.module)


def _inputs(original: Design, mutant: Design, place: Place) -> dict[str, int]:
    """The nets that the inputs of both modules are connected to, with their least width."""
    widths: dict[str, int] = {}
    for design, child in ((original, place.before), (mutant, place.after)):
        for port in design.modules[child.module].ports.values():
            if port.is_input and port.name in child.nets:
                for net, high in _NET.findall(child.nets[port.name]):
                    width = int(high) + 1 if high else port.width
                    widths[net] = max(width, widths.get(net, 0))
    return widths


def _around(side: str, design: Design, child: Child, inputs: dict[str, int]) -> str:
    """A module `side` with `child` alone, whose inputs are the nets around it."""
    outputs = [port for port in design.modules[child.module].ports.values() if not port.is_input]
    wires = [(name, width, "input") for name, width in inputs.items()]
    wires += [(f"{port.name}.out", port.width, "output") for port in outputs]
    nets = child.nets | {port.name: f"{port.name}.out" for port in outputs}
    return "".join(
        [
            f"module \\{side}\n",
            *(f"  wire width {w} {kind} {n} {name}\n" for n, (name, w, kind) in enumerate(wires)),
            f"  cell {child.module} {child.cell}\n",
            *(f"    connect {port} {net}\n" for port, net in nets.items()),
            "  end\nend\n",
        ]
    )
