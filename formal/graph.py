"""The netlist as a graph of bits: what each is computed from."""

import json
import re
import subprocess
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formal import tools

#: Nothing is optimised that could hide a path: only what no output sees is swept away.
_SCRIPT = """\
read_rtlil model.il
hierarchy -top top
proc
flatten
opt_clean
memory_collect
opt_clean
write_rtlil flat.il
simplemap
opt_clean
write_json graph.json
"""
_REGISTER = re.compile(r"\$_?S?DFF", re.IGNORECASE)


def synthesise(netlist: str, folder: Path, timeout: int) -> None:
    """Leave `netlist` in a `folder` that is there: ``flat.il``, and ``graph.json`` for `Graph`."""
    (folder / "model.il").write_text(netlist)
    run_yosys(_SCRIPT, folder, timeout)


def run_yosys(script: str, folder: Path, timeout: int) -> None:
    """Run a script in `folder`; raises subprocess.SubprocessError when it fails or takes long."""
    (folder / "script.ys").write_text(script)
    with (folder / "logfile.txt").open("w") as log:
        subprocess.run(
            ["yosys", "-q", "script.ys"],
            cwd=folder,
            env=tools.environment(),
            stdout=log,
            stderr=log,
            timeout=timeout,
            check=True,
        )


@dataclass(frozen=True)
class Driver:
    """What a bit comes from: bits it follows in the same cycle, and bits of the cycle before."""

    now: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    cell: str = ""


@dataclass
class Graph:
    """Drivers by bit, the bits of each port, and a name for each bit that has one.

    A cell is taken to hand each of its inputs to each of its outputs, but for memories, registers
    and bitwise operations, of which bits are told apart: a path that is not here is nowhere.
    """

    ports: dict[str, list[int]] = field(default_factory=dict)
    drivers: dict[int, Driver] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """The graph of a file that `synthesise` left."""
        top = json.loads(path.read_text())["modules"]["top"]
        graph = cls()
        for name, port in top["ports"].items():
            graph.ports[name] = nets(port["bits"])
        for name, net in top["netnames"].items():
            for index, bit in enumerate(net["bits"]):
                if isinstance(bit, int) and not name.startswith("$") and name not in top["ports"]:
                    graph.names[bit] = f"{name}[{index}]"
        for name, cell in top["cells"].items():
            for bit, driver in _drivers(name, cell):
                graph.drivers[bit] = driver
        return graph

    def ports_called(self, prefix: str) -> set[int]:
        """The bits of all ports whose names begin with `prefix`."""
        return {bit for name, port in self.ports.items() if name.startswith(prefix) for bit in port}

    def behind(self, sinks: Iterable[int], cuts: Collection[int]) -> set[str]:
        """The cells from which there is a way to a sink that does not lead through `cuts`."""
        todo = [bit for bit in sinks if bit not in cuts]
        seen = {*cuts, *todo}
        cells = set()
        while todo:
            driver = self.drivers.get(todo.pop(), Driver())
            cells.add(driver.cell)
            fresh = {*driver.now, *driver.before} - seen
            seen |= fresh
            todo += fresh
        return cells

    def path(
        self,
        sources: Collection[int],
        sinks: Iterable[int],
        *,
        cuts: Collection[int] = (),
        registers: bool = True,
    ) -> list[int] | None:
        """The bits along a shortest way from a source to a sink, or None if there is none.

        Ways through `cuts` do not count, nor, without `registers`, ways through registers.
        """
        came: dict[int, int | None] = {bit: None for bit in sinks if bit not in cuts}
        queue = deque(came)
        while queue:
            bit = queue.popleft()
            if bit in sources:
                found: list[int] = []
                step: int | None = bit
                while step is not None:
                    found.append(step)
                    step = came[step]
                return found
            driver = self.drivers.get(bit, Driver())
            for origin in driver.now + (driver.before if registers else ()):
                if origin not in came and origin not in cuts:
                    came[origin] = bit
                    queue.append(origin)
        return None


def nets(bits: Iterable[Any]) -> list[int]:
    """Those bits that are no constants."""
    return [bit for bit in bits if isinstance(bit, int)]


def _drivers(name: str, cell: Mapping[str, Any]) -> Iterable[tuple[int, Driver]]:
    """The bits that a cell drives."""
    kind, pins = cell["type"], cell["connections"]
    if kind == "$mem_v2":
        yield from _read_ports(name, cell)
        return
    origins = tuple(
        bit
        for pin, direction in cell["port_directions"].items()
        if direction == "input" and not (_REGISTER.match(kind) and pin in ("C", "CLK"))
        for bit in nets(pins[pin])
    )
    driver = (
        Driver(before=origins, cell=name) if _REGISTER.match(kind) else Driver(origins, (), name)
    )
    for pin, direction in cell["port_directions"].items():
        if direction == "output":
            for bit in nets(pins[pin]):
                yield bit, driver


def _read_ports(name: str, cell: Mapping[str, Any]) -> Iterable[tuple[int, Driver]]:
    """A bit of a word comes from the addresses, and from the same bit of what is written."""
    sizes = {key: int(cell["parameters"][key], 2) for key in ("WIDTH", "ABITS", "RD_PORTS")}
    width, address_bits = sizes["WIDTH"], sizes["ABITS"]
    pins = cell["connections"]
    clocked = cell["parameters"]["RD_CLK_ENABLE"][::-1]
    for port in range(sizes["RD_PORTS"]):
        place = slice(port * address_bits, (port + 1) * address_bits)
        asks = nets([*pins["RD_ADDR"][place], pins["RD_EN"][port], pins["RD_SRST"][port]])
        for lane in range(width):
            stored = nets(
                [*pins["WR_ADDR"], *pins["WR_DATA"][lane::width], *pins["WR_EN"][lane::width]]
            )
            for bit in nets([pins["RD_DATA"][port * width + lane]]):
                if clocked[port] == "1":
                    yield bit, Driver(before=(*asks, *stored), cell=name)
                else:
                    yield bit, Driver(tuple(asks), tuple(stored), name)
