"""The longest paths between the registers of a placed design.

nextpnr reports a single path. Its SDF file has the delays of all cells and nets, from which all
paths are computed; the longest one must equal the one that nextpnr reports.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from synth.netlist import TOP, plain

#: Attributes of the wires with the best names for a net.
REGISTER, OUTPUT = "vd_register", "vd_output"

#: Commands before synthesis: mark those wires, flatten, and save all names of each net, because
#: optimisation keeps only one.
MARK = f"""\
proc
setattr -set {REGISTER} 1 t:$dff %co1:+[Q] w:* %i
setattr -set {REGISTER} 1 t:$memrd_v2 %co1:+[DATA] w:* %i
setattr -set {OUTPUT} 1 o:*
flatten
select {TOP}
write_json -selected names.json
select -clear
"""

#: The cell that drives the clock network, from its CLKI to its CLKO.
CLOCK_BUFFER = "DCCA"

# Suffixes of names that yosys generates for cells behind a named net.
_MADE_UP = re.compile(r"_(LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_\w+?|DP16KD|PDPW16KD|MULT18X18D)(_|$)")
_SETUP = re.compile(r"\(SETUPHOLD \(\w+ (\S+)\) \(\w+ \S+\) \S+?:(-?\d+)\)")


@dataclass
class Delays:
    """The content of an SDF file; pins are ``cell/port``, delays are the slowest, in ps."""

    arcs: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """The predecessors of each pin, with the delays from them."""
    starts: dict[str, int] = field(default_factory=dict)
    """The clock-to-output delay of each output of a register."""
    setups: dict[str, int] = field(default_factory=dict)
    """The setup time of each input of a register."""
    types: dict[str, str] = field(default_factory=dict)
    """Type of each cell."""


def read_sdf(path: Path) -> Delays:
    """The delays in a file that nextpnr wrote."""
    delays, cell, kind = Delays(), "", ""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            text = line.strip().replace("\\", "")
            if text.startswith("(CELLTYPE"):
                kind = text.split('"')[1]
            elif text.startswith("(INSTANCE"):
                cell = text[len("(INSTANCE") : -1].strip()
                delays.types[cell] = kind
            elif text.startswith("(INTERCONNECT"):
                _, start, end, *values = text.split()
                delays.arcs[end].append((start, _slowest(values)))
            elif text.startswith("(IOPATH"):
                _, start, end, *values = text.split()
                if start.startswith(("CLK", "WCK")) and kind != CLOCK_BUFFER:
                    delays.starts[f"{cell}/{end}"] = _slowest(values)
                else:
                    delays.arcs[f"{cell}/{end}"].append((f"{cell}/{start}", _slowest(values)))
            elif match := _SETUP.match(text):
                pin = f"{cell}/{match[1]}"
                delays.setups[pin] = max(int(match[2]), delays.setups.get(pin, 0))
    return delays


def _slowest(values: list[str]) -> int:
    """The largest of (best:typical:worst) values."""
    return max(int(value.strip("()").split(":")[-1]) for value in values)


class Names:
    """The design's names for nets and registers of a netlist.

    `early` is the module written by `MARK`, `netlist` the placed one.
    """

    def __init__(self, early: dict[str, Any], netlist: dict[str, Any]):
        self._cells = netlist["cells"]
        best: dict[int, tuple[tuple, str]] = {}
        wires = {name: net for name, net in early["netnames"].items() if not net["hide_name"]}
        for name, net in wires.items():
            known = net["attributes"]
            # Prefer the wire in the component that drives it; trace wires are only copies.
            traced = "trace" in name
            rank = (traced, REGISTER not in known, OUTPUT not in known, -name.count("."), len(name))
            for bit in net["bits"]:
                if isinstance(bit, int) and (bit not in best or rank < best[bit][0]):
                    best[bit] = (rank, name)
        # The best name of each early wire is that of its lowest bit.
        lowest = {name: bit for name, net in wires.items() for bit in net["bits"][:1]}
        self._wires = {name: best[bit][1] for name, bit in lowest.items() if bit in best}
        self._nets: dict[int, str] = {}
        for name, net in netlist["netnames"].items():
            if name in wires and len(net["bits"]) == len(wires[name]["bits"]):
                for bit, before in zip(net["bits"], wires[name]["bits"], strict=True):
                    if isinstance(bit, int) and isinstance(before, int):
                        self._nets.setdefault(bit, best[before][1])

    def of(self, pin: str) -> str | None:
        """The name of the net driven by `pin`, an output; None if it has none."""
        cell, _, port = pin.rpartition("/")
        # nextpnr splits a carry cell into two, and names the output of a LUT F.
        cell, _, half = cell.partition("$CCU2_COMB")
        if port == "F":
            port = f"S{half}" if half else "Z"
        bits = self._cells.get(cell, {"connections": {}})["connections"].get(port)
        name = self._nets.get(bits[0]) if bits else None
        return name and plain(name)

    def register(self, pin: str) -> str:
        """The name in the design of the register (or RAM) of `pin`."""
        cell = pin.rpartition("/")[0].split("$")[0]
        made = _MADE_UP.split(cell)[0]
        return self.of(f"{cell}/Q") or plain(self._wires.get(made, made))


@dataclass(frozen=True)
class Hop:
    """A section of a path: its cells, and the named net at its end, if any."""

    ns: float
    routing_ns: float
    through: str
    net: str | None


def _stretches(
    path: list[str], arrival: dict[str, int], names: Names, types: dict[str, str]
) -> Iterator[Hop]:
    """Hops from named net to named net; the cells between them are summed up."""
    begin, routing = arrival[path[0]], 0
    luts = carries = 0
    other: list[str] = []
    for before, pin in itertools.pairwise(path):
        delay = arrival[pin] - arrival[before]
        cell, _, port = pin.rpartition("/")
        if before.rpartition("/")[0] != cell:
            routing += delay
            continue
        if "CCU2" in cell:
            carries += port == "F"
        elif types[cell] == "TRELLIS_COMB":
            luts += 1
        else:
            other.append(types[cell])
        name = names.of(pin)
        if name:
            yield Hop(
                (arrival[pin] - begin) / 1000, routing / 1000, _what(luts, carries, other), name
            )
            begin, routing, luts, carries, other = arrival[pin], 0, 0, 0, []
    yield Hop((arrival[path[-1]] - begin) / 1000, routing / 1000, _what(luts, carries, other), None)


def _what(luts: int, carries: int, other: list[str]) -> str:
    parts = [f"{luts} LUT"] * bool(luts) + [f"{carries} adder"] * bool(carries) + other
    return ", ".join(parts) or "wire"


def longest_paths(delays: Delays, names: Names, network: int = 0) -> Iterator[dict[str, Any]]:
    """The longest path between each pair of registers, longest first, as values for JSON.

    Registers that differ only in numbers (lanes, slots, layers) count as one. nextpnr assumes no
    delay in the clock network; `network` is the delay in ps assumed here.
    """
    arrival, before = _arrivals(delays, network)
    ends = sorted(
        ((arrival[pin] + setup, pin) for pin, setup in delays.setups.items() if pin in arrival),
        reverse=True,
    )
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for total, end in ends:
        path = [end]
        while path[-1] in before:
            path.append(before[path[-1]])
        path.reverse()
        start, stop = names.register(path[0]), names.register(end)
        pair = (re.sub(r"\d+", "N", start), re.sub(r"\d+", "N", stop))
        if pair in seen:
            seen[pair]["ends"] += 1
            continue
        hops = [vars(hop) for hop in _stretches(path, arrival, names, delays.types)]
        seen[pair] = {
            "ns": total / 1000,
            "ends": 1,
            "start": start,
            "end": stop,
            "clock_to_output_ns": arrival[path[0]] / 1000,
            "setup_ns": delays.setups[end] / 1000,
            "hops": hops,
        }
    return iter(seen.values())


def _arrivals(delays: Delays, network: int) -> tuple[dict[str, int], dict[str, str]]:
    """The latest arrival at every pin reached from a register, and its predecessor."""
    arrival, before = dict(delays.starts), dict[str, str]()
    graph = {pin: [start for start, _ in arcs] for pin, arcs in delays.arcs.items()}
    for pin in TopologicalSorter(graph).static_order():
        cell, _, port = pin.rpartition("/")
        extra = network * ((delays.types.get(cell), port) == (CLOCK_BUFFER, "CLKO"))
        for start, delay in delays.arcs.get(pin, ()):
            if start in arrival and arrival[start] + delay + extra > arrival.get(pin, -1):
                arrival[pin], before[pin] = arrival[start] + delay + extra, start
    return arrival, before
