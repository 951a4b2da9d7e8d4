"""The netlist as a graph of bits and their drivers, for structural reachability."""

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formal.engines.programs import launch

#: No optimisation that could hide a path: only logic without a path to an output is removed.
_SCRIPT = """\
read_rtlil model.il
hierarchy -top top
proc -noopt
flatten
opt_clean
memory_collect
opt_clean
write_rtlil flat.il
simplemap
opt_clean
write_json graph.json
"""
#: Registers after `simplemap`.
_REGISTER = re.compile(r"\$_(S?DFFE?|SDFFCE|ALDFFE?|DFFSRE?)_[PN01]+_")
#: Cells (latches included) whose outputs may all depend on all inputs within a cycle.
_WITHIN_A_CYCLE = re.compile(
    r"\$_(NOT|BUF|AND|NAND|OR|NOR|XOR|XNOR|ANDNOT|ORNOT|N?MUX|AOI[34]|OAI[34])_"
    r"|\$_(DLATCH|DLATCHSR|SR)_[PN01]+_"
    r"|\$(add|sub|neg|pos|mul|div|mod|divfloor|modfloor|pow|macc|macc_v2|alu|lcu|fa)"
    r"|\$(shl|shr|sshl|sshr|shift|shiftx|lt|le|eq|ne|eqx|nex|ge|gt)"
    r"|\$(lut|sop|pmux|bmux|demux|bweqx|bwmux)"
)
#: Cells without outputs, and one whose output may be anything.
_NO_ORIGIN = re.compile(r"\$(check|assert|assume|cover|scopeinfo|anyseq)")


def synthesise(netlist: str, folder: Path, timeout: int) -> None:
    """Write ``flat.il``, and ``graph.json`` for `Graph`, to an existing `folder`."""
    (folder / "model.il").write_text(netlist)
    run_yosys(_SCRIPT, folder, timeout)


def run_yosys(script: str, folder: Path, timeout: int) -> None:
    """Run a script in `folder`; raises subprocess.SubprocessError if it fails or times out."""
    (folder / "script.ys").write_text(script)
    with (folder / "logfile.txt").open("w") as log:
        launch.run(["yosys", "-q", "script.ys"], folder, timeout, stdout=log, stderr=log)


@dataclass(frozen=True)
class Driver:
    """The driver of a bit: bits on which it depends in the same cycle, and in the cycle before."""

    now: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    cell: str = ""


@dataclass
class Graph:
    """Drivers by bit, the bits of each port, and a name for each bit that has one.

    Every output of a cell is assumed to depend on every input, except in memories, registers and
    bitwise operations, where bits are distinguished. So the graph has every path of the netlist.
    Clocks, asynchronous sets and resets, and latches act within the cycle.
    """

    ports: dict[str, list[int]] = field(default_factory=dict)
    inputs: set[int] = field(default_factory=set)
    drivers: dict[int, Driver] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """The graph of a file written by `synthesise`.

        Raises ValueError for an unknown cell type, and for a bit with two drivers.
        """
        top = json.loads(path.read_text())["modules"]["top"]
        graph = cls()
        for name, port in top["ports"].items():
            graph.ports[name] = nets(port["bits"])
            if port["direction"] == "input":
                graph.inputs |= set(graph.ports[name])
            elif port["direction"] != "output":
                raise ValueError(f"port {name} is bidirectional")
        for name, net in top["netnames"].items():
            for index, bit in enumerate(net["bits"]):
                if isinstance(bit, int) and not name.startswith("$") and name not in top["ports"]:
                    graph.names[bit] = f"{name}[{index}]"
        for name, cell in top["cells"].items():
            for bit, driver in _drivers(name, cell):
                if not isinstance(bit, int) or bit in graph.drivers or bit in graph.inputs:
                    raise ValueError(f"{graph.names.get(bit, bit)} has more than one driver")
                graph.drivers[bit] = driver
        return graph

    def ports_called(self, prefix: str) -> set[int]:
        """The bits of all ports whose names begin with `prefix`."""
        return {bit for name, port in self.ports.items() if name.startswith(prefix) for bit in port}

    def cone(
        self, sinks: Iterable[int], cuts: Collection[int], *, registers: bool = True
    ) -> set[str]:
        """The cells in the cone of influence of the sinks, without paths through `cuts`, and, if
        not `registers`, through registers."""
        todo = [bit for bit in sinks if bit not in cuts]
        seen = {*cuts, *todo}
        cells = set()
        while todo:
            driver = self.drivers.get(todo.pop(), Driver())
            cells.add(driver.cell)
            fresh = {*driver.now, *(driver.before if registers else ())} - seen
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
        """The bits along a shortest path from a source to a sink, or None if there is none.

        Without paths through `cuts`, and, if not `registers`, through registers. An x counts as a
        constant. Raises ValueError if a sink depends on an undriven bit.
        """
        successor: dict[int, int | None] = {bit: None for bit in sinks if bit not in cuts}
        queue = deque(successor)
        while queue:
            bit = queue.popleft()
            if bit in sources:
                path: list[int] = []
                step: int | None = bit
                while step is not None:
                    path.append(step)
                    step = successor[step]
                return path
            driver = Driver() if bit in self.inputs else self.drivers.get(bit)
            if driver is None:
                raise ValueError(f"{self.names.get(bit, bit)} has no driver")
            for origin in driver.now + (driver.before if registers else ()):
                if origin not in successor and origin not in cuts:
                    successor[origin] = bit
                    queue.append(origin)
        return None


def nets(bits: Iterable[Any]) -> list[int]:
    """The bits that are not constants."""
    return [bit for bit in bits if isinstance(bit, int)]


def _drivers(name: str, cell: Mapping[str, Any]) -> Iterable[tuple[int, Driver]]:
    """The bits that a cell drives."""
    kind, pins = cell["type"], cell["connections"]
    if kind == "$mem_v2":
        yield from _read_ports(name, cell)
        return
    if _NO_ORIGIN.fullmatch(kind):
        yield from ((bit, Driver(cell=name)) for bit in nets(pins.get("Y", ())))
        return
    later: tuple[str, ...] = ()
    if _REGISTER.fullmatch(kind):
        # A synchronous reset acts at the next clock edge; other sets and resets, and the clock
        # itself, act within the cycle.
        later = ("D", "E", "R") if kind.startswith("$_SDFF") else ("D", "E")
    elif not _WITHIN_A_CYCLE.fullmatch(kind):
        raise ValueError(f"unknown cell type {kind}: {name}")
    now, before, outputs = [], [], []
    for pin, direction in cell["port_directions"].items():
        if direction == "output":
            outputs += pins[pin]
        elif pin in later:
            before += pins[pin]
        else:
            now += pins[pin]
    for bit in outputs:
        yield bit, _driver(now, before, name)


def _driver(now: Iterable[Any], before: Iterable[Any], cell: str) -> Driver:
    return Driver(tuple(nets(now)), tuple(nets(before)), cell)


def _read_ports(name: str, cell: Mapping[str, Any]) -> Iterable[tuple[int, Driver]]:
    """A bit of a word depends on the addresses, and on the same bit of the written words."""
    pins, parameters = cell["connections"], cell["parameters"]
    width, address_bits, reads, writes = (
        int(parameters[key], 2) for key in ("WIDTH", "ABITS", "RD_PORTS", "WR_PORTS")
    )
    clocked = parameters["RD_CLK_ENABLE"][::-1]
    if writes and "0" in parameters["WR_CLK_ENABLE"]:
        raise ValueError(f"memory {name} is written without a clock")
    for port in range(reads):
        address = pins["RD_ADDR"][port * address_bits : (port + 1) * address_bits]
        request = [*address, pins["RD_EN"][port], pins["RD_SRST"][port]]
        for lane in range(width):
            # A write happens at its clock, which may be derived from data.
            stored = [*pins["WR_ADDR"], *pins["WR_DATA"][lane::width], *pins["WR_EN"][lane::width]]
            bit = pins["RD_DATA"][port * width + lane]
            if clocked[port] == "1":
                clocks = [*pins["WR_CLK"], pins["RD_CLK"][port], pins["RD_ARST"][port]]
                yield bit, _driver(clocks, [*request, *stored], name)
            else:
                yield bit, _driver([*request, *pins["WR_CLK"]], stored, name)
