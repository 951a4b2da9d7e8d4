"""Whether a mutant in the design that nobody sees is equivalent to the original, proved by ABC.

Every module that the mutant changes in the netlist of a decoder is compared with the original's,
both with the same free inputs, from power-on and for ever. That is more than their callers ask of
them, so what is proved holds; what is not proved remains a survivor. Undefined bits, such as words
behind the end of a memory, are 0 in both, as in the simulation.
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from formal.engines.programs.launch import abc_program
from mutate.baseline import Decoder, Progress
from mutate.cases import Case
from mutate.process import call
from mutate.rounds import ELABORATION
from mutate.schemata import Design, NotMergeable, places
from tools.yosys import BuildError, run_yosys

#: Seconds for one module.
LIMIT = 60

_SCRIPT = """\
read_rtlil {side}.il
hierarchy -top {name}
proc
memory_collect
memory_map
setundef -zero
flatten
opt -full
rename {name} {side}
write_rtlil {side}.flat
"""
_MITER = """\
read_rtlil original.flat
read_rtlil mutant.flat
{inputs}miter -equiv -flatten original mutant miter
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
#: Signal correspondence leaves nothing of a difference that is none; PDR decides the rest.
_PROOF = f"read_aiger miter.aig; strash; scorr; write_aiger -s proved.aig; pdr -T {LIMIT}"


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
        if answer.status != "done" or answer.value != decoder.constants:
            return False
        original, mutant = Design(decoder.netlist), Design(path.read_text("utf-8"))
        try:
            changed = places(original, mutant)
        except NotMergeable:
            return False
        return all(self._proved(original, mutant, place.name, place.other) for place in changed)

    def _proved(self, original: Design, mutant: Design, name: str, other: str) -> bool:
        """Whether two modules have equal outputs for ever."""
        sides = (("original", original, name), ("mutant", mutant, other))
        inputs = _missing_inputs(original, mutant, name, other)
        try:
            for side, design, module in sides:
                (self.folder / f"{side}.il").write_text("".join(_below(design, module)))
                run_yosys(_SCRIPT.format(side=side, name=module), self.folder)
            run_yosys(_MITER.format(inputs=inputs), self.folder)
            proof = subprocess.run(
                [abc_program(), "-c", _PROOF],
                cwd=self.folder, capture_output=True, text=True, check=False, timeout=10 * LIMIT,
            )  # fmt: skip
        except (BuildError, subprocess.TimeoutExpired):
            return False  # a combinational loop, for which AIGER has no form, or too much
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


def _missing_inputs(original: Design, mutant: Design, name: str, other: str) -> str:
    """Commands that give both modules the inputs that only one of them reads."""
    before, after = original.modules[name].ports, mutant.modules[other].ports
    lines = [
        f"cd {side}\nadd -input {port.name} {port.width}\ncd ..\n"
        for side, own, others in (("original", before, after), ("mutant", after, before))
        for port in others.values()
        if port.name not in own
    ]
    return "".join(lines)
