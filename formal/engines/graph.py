"""The netlist as a graph of bits: what each is computed from."""

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from formal.engines.programs import launch

#: Nothing is optimised that could hide a path: only what no output sees is swept away.
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
#: What `simplemap` makes of registers.
_REGISTER = re.compile(r"\$_(S?DFFE?|SDFFCE|ALDFFE?|DFFSRE?)_[PN01]+_")
#: Cells of which every output may depend on every input within a cycle, latches among them.
_WITHIN_A_CYCLE = re.compile(
    r"\$_(NOT|BUF|AND|NAND|OR|NOR|XOR|XNOR|ANDNOT|ORNOT|N?MUX|AOI[34]|OAI[34])_"
    r"|\$_(DLATCH|DLATCHSR|SR)_[PN01]+_"
    r"|\$(add|sub|neg|pos|mul|div|mod|divfloor|modfloor|pow|macc|macc_v2|alu|lcu|fa)"
    r"|\$(shl|shr|sshl|sshr|shift|shiftx|lt|le|eq|ne|eqx|nex|ge|gt)"
    r"|\$(lut|sop|pmux|bmux|demux|bweqx|bwmux)"
)
#: Cells that drive nothing, and one that anything may come from.
_NO_ORIGIN = re.compile(r"\$(check|assert|assume|cover|scopeinfo|anyseq)")


def synthesise(netlist: str, folder: Path, timeout: int) -> None:
    """Leave `netlist` in a `folder` that is there: ``flat.il``, and ``graph.json`` for `Graph`."""
    (folder / "model.il").write_text(netlist)
    run_yosys(_SCRIPT, folder, timeout)


def run_yosys(script: str, folder: Path, timeout: int) -> None:
    """Run a script in `folder`; raises subprocess.SubprocessError when it fails or takes long."""
    (folder / "script.ys").write_text(script)
    with (folder / "logfile.txt").open("w") as log:
        launch.run(["yosys", "-q", "script.ys"], folder, timeout, stdout=log, stderr=log)


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
    and bitwise operations, of which bits are told apart: a path that is not here is nowhere. What a
    clock, an asynchronous set or reset, or a latch lets through comes within the cycle.
    """

    ports: dict[str, list[int]] = field(default_factory=dict)
    inputs: set[int] = field(default_factory=set)
    drivers: dict[int, Driver] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Graph":
        """The graph of a file that `synthesise` left.

        Raises ValueError for a cell that is not known, and for a bit with two drivers.
        """
        top = json.loads(path.read_text())["modules"]["top"]
        graph = cls()
        for name, port in top["ports"].items():
            graph.ports[name] = nets(port["bits"])
            if port["direction"] == "input":
                graph.inputs |= set(graph.ports[name])
            elif port["direction"] != "output":
                raise ValueError(f"port {name} goes both ways")
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

    def behind(
        self, sinks: Iterable[int], cuts: Collection[int], *, registers: bool = True
    ) -> set[str]:
        """The cells from which there is a way to a sink that does not lead through `cuts`, nor,
        without `registers`, through registers."""
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
        """The bits along a shortest way from a source to a sink, or None if there is none.

        Ways through `cuts` do not count, nor, without `registers`, ways through registers. An x is
        taken for a constant. Raises ValueError when a sink depends on what nobody drives.
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
            driver = Driver() if bit in self.inputs else self.drivers.get(bit)
            if driver is None:
                raise ValueError(f"nobody drives {self.names.get(bit, bit)}")
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
    if _NO_ORIGIN.fullmatch(kind):
        yield from ((bit, Driver(cell=name)) for bit in nets(pins.get("Y", ())))
        return
    later: tuple[str, ...] = ()
    if _REGISTER.fullmatch(kind):
        # A synchronous reset waits for the clock; any other set or reset, and the clock, do not.
        later = ("D", "E", "R") if kind.startswith("$_SDFF") else ("D", "E")
    elif not _WITHIN_A_CYCLE.fullmatch(kind):
        raise ValueError(f"what a cell {kind} does is not known here: {name}")
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
    """A bit of a word comes from the addresses, and from the same bit of what is written."""
    pins, parameters = cell["connections"], cell["parameters"]
    width, address_bits, reads, writes = (
        int(parameters[key], 2) for key in ("WIDTH", "ABITS", "RD_PORTS", "WR_PORTS")
    )
    clocked = parameters["RD_CLK_ENABLE"][::-1]
    if writes and "0" in parameters["WR_CLK_ENABLE"]:
        raise ValueError(f"memory {name} is written without a clock")
    for port in range(reads):
        place = slice(port * address_bits, (port + 1) * address_bits)
        asks = [*pins["RD_ADDR"][place], pins["RD_EN"][port], pins["RD_SRST"][port]]
        for lane in range(width):
            # A write is there at its clock, which may itself be made from data.
            stored = [*pins["WR_ADDR"], *pins["WR_DATA"][lane::width], *pins["WR_EN"][lane::width]]
            bit = pins["RD_DATA"][port * width + lane]
            if clocked[port] == "1":
                clocks = [*pins["WR_CLK"], pins["RD_CLK"][port], pins["RD_ARST"][port]]
                yield bit, _driver(clocks, [*asks, *stored], name)
            else:
                yield bit, _driver([*asks, *pins["WR_CLK"]], stored, name)
