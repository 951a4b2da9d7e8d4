"""Replaces the ports of a netlist by four pins, so that it can be placed as a whole device.

64 lanes of 16-bit weights are more ports than a package has pins. nextpnr can place without pins
("out of context"), but then routes the clock like any other net, using wires that the design needs.
So every port gets a register, as in a surrounding system: inputs are the bits of a long shift
register, outputs are registered and combined into one bit, one output a cycle. The added cells are
counted and subtracted from the design's.
"""

import itertools
from dataclasses import dataclass
from typing import Any

# In this format a string of zeros and ones is a number, unless a blank follows it.
_FF = {
    "CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET",
    "SRMODE": "LSR_OVER_CE",
}  # fmt: skip
_XOR = "0110" * 4
#: Ports that become pins directly.
KEPT = ("clk", "rst")


@dataclass(frozen=True)
class Extra:
    """The cells added to a netlist."""

    lut: int
    ff: int


def with_pins(module: dict[str, Any]) -> tuple[dict[str, Any], Extra]:
    """`module`, the top of an ECP5 netlist in the JSON format of yosys, with pins for ports."""
    ports, cells, nets = module["ports"], dict(module["cells"]), dict(module["netnames"])
    known = (bit for net in nets.values() for bit in net["bits"] if isinstance(bit, int))
    numbers = itertools.count(max(known) + 1)
    (clock,) = ports["clk"]["bits"]

    def net(name: str) -> int:
        number = next(numbers)
        nets[name] = {"hide_name": 0, "bits": [number], "attributes": {}}
        return number

    def cell(name: str, kind: str, parameters: dict[str, str], output: str, **pins: Any) -> None:
        cells[name] = {
            "hide_name": 0,
            "type": kind,
            "parameters": parameters,
            "attributes": {},
            "port_directions": {pin: "output" if pin == output else "input" for pin in pins},
            "connections": {pin: [bit] for pin, bit in pins.items()},
        }

    def register(name: str, data: int, output: int) -> None:
        cell(name, "TRELLIS_FF", _FF, "Q", CLK=clock, LSR="0", DI=data, Q=output)

    def bits(direction: str) -> list[int]:
        all_bits = (
            bit
            for name, port in ports.items()
            if port["direction"] == direction and name not in KEPT
            for bit in port["bits"]
        )
        return [bit for bit in dict.fromkeys(all_bits) if isinstance(bit, int)]

    begin = last = net("pin_d")
    inputs, outputs = bits("input"), bits("output")
    for number, bit in enumerate(inputs):
        register(f"pin_in_{number}", last, bit)
        last = bit
    folded: int | str = "0"
    for number, bit in enumerate(outputs):
        taken, mixed, kept = (net(f"pin_{part}_{number}") for part in ("taken", "mixed", "kept"))
        register(f"pin_out_{number}", bit, taken)
        cell(f"pin_xor_{number}", "LUT4", {"INIT": _XOR}, "Z", A=taken, B=folded, Z=mixed)
        register(f"pin_fold_{number}", mixed, kept)
        folded = kept

    pins = {name: ports[name] for name in KEPT if name in ports}
    pins["pin_d"] = {"direction": "input", "bits": [begin]}
    pins["pin_q"] = {"direction": "output", "bits": [folded]}
    changed = {**module, "ports": pins, "cells": cells, "netnames": nets}
    return changed, Extra(lut=len(outputs), ff=len(inputs) + 2 * len(outputs))
