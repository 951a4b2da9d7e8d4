"""The memories of a netlist as yosys recognises them, and the cells that they are mapped to."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synth.devices import Device
from synth.netlist import TOP, plain
from synth.tools import Report, cached, run, version

# Ends after the mapping of memories, which later steps do not change.
_SCRIPT = """\
read_rtlil design.il
{synth} -top {top} -run begin:{before}
select {top}/t:$mem_v2
write_json -selected logical.json
select -clear
{synth} -top {top} -run {before}:{after}
select {top}/t:*
write_json -selected mapped.json
"""


@dataclass(frozen=True, kw_only=True)
class MappedMemory:
    """A memory in a netlist: its ports, and the cells that it was mapped to.

    `cells` is empty if it became flip-flops and logic.
    """

    name: str
    depth: int
    width: int
    reads: int
    writes: int
    cells: dict[str, int]


def mapped_memories(text: str, device: Device, name: str, report: Report) -> list[MappedMemory]:
    """The memories in RTLIL `text`, synthesised for `device`."""
    before, after = device.memory_stages
    script = _SCRIPT.format(synth=device.synth, top=TOP, before=before, after=after)

    def make(folder: Path) -> list[dict[str, Any]]:
        (folder / "design.il").write_text(text)
        (folder / "script.ys").write_text(script)
        step = f"{name}, {device.name}: memories"
        run("yosys", ["-s", "script.ys"], folder, step=step, report=report)
        logical, mapped = (_cells(folder / f"{part}.json") for part in ("logical", "mapped"))
        for path in folder.iterdir():
            if path.suffix != ".log":
                path.unlink()
        return [asdict(memory) for memory in match(logical, mapped, device)]

    parts = [text, script, version("yosys"), repr(device)]
    values = cached(f"{name}-{device.name}-memories", parts, make, by=__name__)
    return [MappedMemory(**value) for value in values]


def _cells(path: Path) -> dict[str, dict[str, Any]]:
    modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
    return modules.get(TOP, {"cells": {}})["cells"]


def match(
    logical: dict[str, dict[str, Any]], mapped: dict[str, dict[str, Any]], device: Device
) -> list[MappedMemory]:
    """Assign each RAM cell to the memory whose name is a prefix of the cell's.

    A RAM cell without a memory counts as a memory of unknown shape.
    """
    assert device.block is not None and device.lutram is not None
    rams = {*device.block.cells, *device.lutram.cells}
    cells: dict[str, Counter[str]] = {name: Counter() for name in logical}
    for name, cell in mapped.items():
        if cell["type"] in rams:
            owners = [owner for owner in logical if name.startswith(f"{owner}.")]
            owner = max(owners, key=len, default=name)
            cells.setdefault(owner, Counter())[cell["type"]] += 1

    def number(owner: str, parameter: str) -> int:
        return int(logical[owner]["parameters"][parameter], 2) if owner in logical else 0

    return [
        MappedMemory(
            name=plain(owner),
            depth=number(owner, "SIZE"),
            width=number(owner, "WIDTH"),
            reads=number(owner, "RD_PORTS"),
            writes=number(owner, "WR_PORTS"),
            cells=dict(counted),
        )
        for owner, counted in cells.items()
    ]
