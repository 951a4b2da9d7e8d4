"""The RAM-port gate: every memory is as declared, in the smallest RAM that holds it.

Only the netlist shows that a memory is duplicated: for a second reader, or for a collision
behaviour that the device lacks, the tools duplicate a bank without a warning.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from design.memory import Memory
from synth.devices import Device
from synth.mapping import MappedMemory


@dataclass(frozen=True)
class Finding:
    """A difference between a memory and its declaration."""

    memory: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.memory}: {self.what}: expected {self.expected}, found {self.found}"


def check(
    declared: Iterable[Memory], mapped: Iterable[MappedMemory], device: Device
) -> list[Finding]:
    """All differences between the netlist and the declaration."""
    want = {memory.name: memory for memory in declared}
    have = {memory.name: memory for memory in mapped}
    findings = [
        Finding(name, "memory", f"{memory.depth} x {memory.width}", "none")
        for name, memory in want.items()
        if name not in have
    ]
    findings += [
        Finding(
            name, "memory", "none", f"{memory.depth} x {memory.width} in {_listed(memory.cells)}"
        )
        for name, memory in have.items()
        if name not in want
    ]
    for name, memory in want.items():
        if name in have:
            findings += _compare(memory, have[name], device)
    return findings


def _compare(want: Memory, have: MappedMemory, device: Device) -> list[Finding]:
    findings = []

    def differ(what: str, expected: str, found: str) -> None:
        findings.append(Finding(want.name, what, expected, found))

    # In a table, yosys removes bits that are equal in all entries.
    whole = have.width == want.width if want.writes else have.width <= want.width
    if have.depth != want.depth or not whole:
        differ("shape", f"{want.depth} x {want.width}", f"{have.depth} x {have.width}")
    if (have.reads, have.writes) != (want.reads, want.writes):
        differ("ports", _ports(want.reads, want.writes), _ports(have.reads, have.writes))
    findings += _mapping(want, have, device)
    return findings


def _mapping(want: Memory, have: MappedMemory, device: Device) -> list[Finding]:
    assert device.block is not None and device.lutram is not None
    kinds = [ram for ram in (device.block, device.lutram) if ram.cells.keys() & have.cells.keys()]
    if want.block_ram and kinds != [device.block]:
        return [Finding(want.name, "kind", "block RAM alone", _listed(have.cells))]
    if not kinds and want.writes == 0:
        return []  # a small table may be logic
    if len(kinds) != 1:
        return [Finding(want.name, "kind", "one kind of RAM", _listed(have.cells))]
    (ram,) = kinds
    least = ram.least(have.depth, have.width, want.lane)
    units = sum(ram.cells[cell] * n for cell, n in have.cells.items())
    if units != least:
        expected, found = (f"{n} {ram.unit}" for n in (least, units))
        return [Finding(want.name, "RAM", expected, f"{found} ({_listed(have.cells)})")]
    return []


def _ports(reads: int, writes: int) -> str:
    return f"{reads} read, {writes} write"


def _listed(cells: dict[str, int]) -> str:
    counts = (f"{n} {cell}" for cell, n in sorted(cells.items()))
    return ", ".join(counts) or "flip-flops and logic"
