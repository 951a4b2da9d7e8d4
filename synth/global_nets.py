"""Puts resets and clock enables with very many registers on the clock network of the device.

A net to all tiles needs wires everywhere: at 64 lanes the reset alone is a seventh of all
connections to be routed. The clock network reaches every tile, and nextpnr uses it for nets driven
by a clock buffer; but it inserts such buffers only for clocks.
"""

from collections import defaultdict
from typing import Any

#: The yosys name of an ECP5 register, and its pins that the network reaches.
_REGISTER, _PINS = "TRELLIS_FF", ("LSR", "CE")
#: Fewest registers of a net for one of the few networks.
LEAST = 500
#: Number of networks that reach more than clock pins, minus one for the clock.
MOST = 7


def with_global_nets(module: dict[str, Any]) -> dict[str, Any]:
    """`module`, an ECP5 netlist in the JSON format of yosys, with buffers before such registers.

    At most `MOST` buffers, for the nets with most registers. Other sinks of a net are unchanged.
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
