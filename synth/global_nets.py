"""Resets and clock enables of very many registers, given to the clock network of the device.

A net that goes everywhere costs wires everywhere: at 64 lanes the reset alone has a seventh of all
that is to be routed. The network that brings the clock to every tile can bring those, too, and
nextpnr routes over it what a buffer of it drives; but it inserts none except for clocks.
"""

from collections import defaultdict
from typing import Any

#: What yosys calls a register of the ECP5 family, and its pins that the network reaches.
_REGISTER, _PINS = "TRELLIS_FF", ("LSR", "CE")
#: Registers that make a net worth one of the few networks.
LEAST = 500
#: Networks that reach more than clock pins, less the one that the clock may take.
MOST = 7


def with_global_nets(module: dict[str, Any]) -> dict[str, Any]:
    """`module`, an ECP5 netlist as yosys writes it to JSON, with buffers before such registers.

    At most `MOST`, for the nets with most registers. What else they drive stays as it is.
    """
    cells, nets = dict(module["cells"]), dict(module["netnames"])
    sinks: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in cells.items():
        for pin in _PINS if cell["type"] == _REGISTER else ():
            for bit in cell["connections"].get(pin, ()):
                if isinstance(bit, int):
                    sinks[bit].append((name, pin))
    known = (bit for net in nets.values() for bit in net["bits"] if isinstance(bit, int))
    free = max(known, default=0) + 1
    largest = sorted(sinks, key=lambda bit: len(sinks[bit]), reverse=True)[:MOST]
    for number, bit in enumerate(bit for bit in largest if len(sinks[bit]) >= LEAST):
        buffered, name = free + number, f"global_{number}"
        for sink, pin in sinks[bit]:
            cell = cells[sink]
            cells[sink] = {**cell, "connections": {**cell["connections"], pin: [buffered]}}
        nets[name] = {"hide_name": 0, "bits": [buffered], "attributes": {}}
        cells[name] = {
            "hide_name": 0,
            "type": "DCCA",
            "parameters": {},
            "attributes": {},
            "port_directions": {"CLKI": "input", "CE": "input", "CLKO": "output"},
            "connections": {"CLKI": [bit], "CE": ["1"], "CLKO": [buffered]},
        }
    return {**module, "cells": cells, "netnames": nets}
