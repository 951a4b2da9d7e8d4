"""Non-interference by a miter: confirms semantically that `paths` has missed no path.

Two copies of the netlist have the same inputs, x, cutpoints and initial state, but independent free
values for the sources. Without a path, their sinks are equal in every cycle, which abc proves.
Products and the outputs of large memories are independent free values, too.
"""

import re
import subprocess
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from formal.engines.aiger import Aiger
from formal.engines.circuit import GATES, Reader, top_of
from formal.engines.graph import Graph, nets, run_yosys
from formal.engines.outcome import Job, Outcome, digest_of
from formal.engines.programs import launch
from properties.dialect import APART, CUT

_FLATTEN = """\
logger -werror "multiple conflicting drivers"
read_rtlil model.il
hierarchy -check -top top
proc
flatten
opt_clean
check
memory_collect
setundef -undriven -anyseq
opt_clean
simplemap
write_rtlil flat.il
write_json graph.json
"""
#: Most bits of a memory that becomes registers; the output of a larger one is free.
_SMALL = 1024
_CELL = re.compile(r"^  cell (\S+) (\S+)\n((?:    .*\n)*)  end\n", re.MULTILINE)
#: Names of the x that yosys uses for words beyond the last one of a memory.
_NO_WORD = re.compile(r"\$memory.*\$rdmux\[")
_PROOF = "read_aiger miter.aig; strash; scorr; write_aiger -s proved.aig; pdr"


def run(job: Job, folder: Path) -> Outcome:
    """Prove that no source of a claim has an influence on its sink.

    `job.line` is ``through registers`` or ``within a cycle``; in the latter, registers have free
    values, the same in both copies. Raises ValueError for unknown constructs.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "logfile.txt"
    outcome = Outcome("ERROR", log=str(log))
    (folder / "model.il").write_text(job.netlist)
    output = ""
    try:
        through = job.line == "through registers"
        reader = _gates(folder, job.timeout, through)
        claims = _claims(reader)
        status = "PASS"
        for sources, sinks in claims.values():
            _miter(reader, sources, sinks, through, folder)
            command = ["yosys-abc", "-c", _PROOF]
            output = launch.run(command, folder, job.timeout, capture_output=True, text=True).stdout
            status = _status(output, folder / "proved.aig")
            if status != "PASS":
                break
        log.write_text(output)
    except subprocess.TimeoutExpired:
        outcome = replace(outcome, status="TIMEOUT", seconds=job.timeout)
        return replace(outcome, netlist=digest_of(folder / "model.il"))
    except subprocess.CalledProcessError:
        return outcome
    names = tuple(
        sorted(n.removeprefix(f"{APART}to_") for n in reader.ports if n.startswith(f"{APART}to_"))
    )
    return replace(
        outcome,
        status=status,
        seconds=round(time.monotonic() - start, 1),
        named=names if status == "FAIL" else (),
        found=names,
        netlist=digest_of(folder / "model.il"),
    )


def _gates(folder: Path, timeout: int, through: bool) -> Reader:
    """The cone of influence of the sinks, as gates. Removed cells have free outputs."""
    run_yosys(_FLATTEN, folder, timeout)
    graph = Graph.read(folder / "graph.json")
    sinks, cuts = graph.ports_called(f"{APART}to_"), graph.ports_called(CUT)
    needed = graph.cone(sinks, cuts, registers=through)

    def keep(cell: re.Match) -> str:
        kind, name, body = cell[1], cell[2].removeprefix("\\"), cell[3]
        sizes = dict(re.findall(r"parameter \\(SIZE|WIDTH) (\d+)", body))
        large = kind == "$mem_v2" and int(sizes["SIZE"]) * int(sizes["WIDTH"]) > _SMALL
        return "" if name not in needed or large or kind == "$mul" else cell[0]

    (folder / "narrow.il").write_text(_CELL.sub(keep, (folder / "flat.il").read_text()))
    run_yosys(GATES, folder, timeout)
    return Reader(top_of(folder / "gates.json"))


def _claims(reader: Reader) -> dict[frozenset, tuple[frozenset, list]]:
    """The sources and sinks of claims, grouped by sources."""
    claims: dict[frozenset, tuple[frozenset, list]] = {}
    for name, bits in reader.ports.items():
        if name.startswith(f"{APART}to_"):
            sources = frozenset(reader.ports[name.replace("to_", "from_", 1)])
            claims.setdefault(sources, (sources, []))[1].extend(bits)
    return claims


def _status(output: str, proved: Path) -> str:
    if "was asserted in frame" in output:
        return "FAIL"
    # If the property was simplified to constant 0, pdr reports nothing.
    header, *lines = proved.read_bytes().split(b"\n", 1)
    latches = int(header.split()[3])
    literal = lines[0].split(b"\n")[latches]
    return "PASS" if "Property proved" in output or literal == b"0" else "ERROR"


def _order(reader: Reader, leaves: Collection[Any], sinks: list[Any], through: bool) -> list[Any]:
    """All bits in the cone of the sinks, each gate after its operands."""
    order: list[Any] = []
    seen: set[Any] = {"0", "1"}
    later = list(sinks)
    while later:
        todo = [(later.pop(), False)]
        while todo:
            bit, ready = todo.pop()
            if ready:
                order.append(bit)
            elif bit not in seen:
                seen.add(bit)
                todo.append((bit, True))
                if bit in leaves:
                    continue
                todo += [(origin, False) for origin in reader.origins(bit)]
                if bit in reader.registers and through:
                    later.append(reader.registers[bit])
    return order


def _miter(
    reader: Reader, sources: frozenset, sinks: list[Any], through: bool, folder: Path
) -> None:
    """Write ``miter.aig``, whose output is high if a sink differs."""
    cuts = {bit for name, bits in reader.ports.items() if name.startswith(CUT) for bit in bits}
    no_words = {
        bit
        for name, net in reader.top["netnames"].items()
        if _NO_WORD.match(name)
        for bit in nets(net["bits"])
        if not (bit in reader.registers or reader.origins(bit))
    }
    same = (cuts | reader.anything | reader.inputs.keys() | no_words) - sources
    order = _order(reader, same | sources, sinks, through)
    leaves = same | sources
    registers = [bit for bit in order if bit in reader.registers and bit not in leaves]
    held = registers if through else []
    reader.check_clock(held, order)
    if not through:
        same |= set(registers)
    inputs = [
        bit
        for bit in order
        if bit in same | sources or not (bit in reader.registers or reader.origins(bit))
    ]
    shared, own = [b for b in inputs if b in same], [b for b in inputs if b not in same]
    initial = reader.initial()
    free = [bit for bit in held if bit not in initial]
    file = Aiger()
    file.inputs = [f"i{n}" for n in range(len(shared) + 2 * len(own) + len(free))]
    file.latches = [(f"r{n}", 0, 0) for n in range(1 + 2 * len(held))]
    began = 2 * (1 + len(file.inputs))
    file.latches[0] = ("began", 1, 0)
    values: list[dict[Any, int]] = [{"0": 0, "1": 1}, {"0": 0, "1": 1}]
    for copy in (0, 1):
        literals = values[copy]
        literals |= {bit: 2 * (1 + n) for n, bit in enumerate(shared)}
        first = 1 + len(shared) + copy * len(own)
        literals |= {bit: 2 * (first + n) for n, bit in enumerate(own)}
        for n, bit in enumerate(held):
            value = began + 2 * (1 + 2 * n + copy)
            if initial.get(bit) == 1:
                value ^= 1  # stored inverted
            elif bit not in initial:
                start = 2 * (1 + len(shared) + 2 * len(own) + free.index(bit))
                later, first_cycle = file.both(began, value), file.both(began ^ 1, start)
                value = file.either(later, first_cycle)
            literals[bit] = value
        for bit in order:
            if bit in literals:
                continue
            if bit in reader.gates:
                a, b = reader.gates[bit]
                literals[bit] = file.both(literals[a], literals[b])
            else:
                origin, inverted = reader.aliases[bit]
                literals[bit] = literals[origin] ^ inverted
        for n, bit in enumerate(held):
            latch = 1 + 2 * n + copy
            following = literals[reader.registers[bit]] ^ (initial.get(bit) == 1)
            file.latches[latch] = (file.latches[latch][0], following, 0)
    differs = 0
    for bit in sinks:
        a, b = values[0][bit], values[1][bit]
        differs = file.either(differs, file.either(file.both(a, b ^ 1), file.both(a ^ 1, b)))
    file.outputs = [("differs", differs)]
    file.write(folder / "miter.aig")
