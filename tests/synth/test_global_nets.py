"""Which nets get a buffer of the clock network."""

import pytest

from synth.global_nets import LEAST, MOST, with_global_nets


def _module(*registers: tuple[int, str, int]) -> dict:
    """Registers: how many, the pin and the net that drives it; net 2 is their clock."""
    cells = {
        f"{pin}_{net}_{n}": {
            "type": "TRELLIS_FF",
            "connections": {"CLK": [2], pin: [net], "DI": [3]},
        }
        for number, pin, net in registers
        for n in range(number)
    }
    gate = {"type": "LUT4", "connections": {"A": [net for _, _, net in registers][:1]}}
    nets = {f"net_{net}": {"bits": [net]} for net in (2, 3, *(net for _, _, net in registers))}
    return {"ports": {}, "cells": {**cells, "gate": gate}, "netnames": nets}


def test_registers_of_a_large_net_hang_on_a_buffer_and_gates_do_not():
    module = _module((LEAST, "LSR", 4), (LEAST - 1, "CE", 5))
    cells = with_global_nets(module)["cells"]
    buffer = cells["global_0"]
    assert buffer["type"] == "DCCA" and buffer["connections"]["CLKI"] == [4]
    (output,) = buffer["connections"]["CLKO"]
    assert output not in (2, 3, 4, 5)
    for name, cell in cells.items():
        if name.startswith("LSR"):
            assert cell["connections"] == {"CLK": [2], "LSR": [output], "DI": [3]}
        elif name != "global_0":
            assert cell == module["cells"][name]
    assert "global_1" not in cells


def test_the_largest_nets_come_first_and_constants_never():
    nets = [(LEAST + n, "CE", 10 + n) for n in range(MOST + 2)]
    module = _module(*nets)
    for name in ("a", "b"):
        module["cells"][name] = {"type": "TRELLIS_FF", "connections": {"CE": ["1"]}}
    cells = with_global_nets(module)["cells"]
    driven = [cell["connections"]["CLKI"] for cell in cells.values() if cell["type"] == "DCCA"]
    assert driven == [[10 + n] for n in range(MOST + 1, 1, -1)]


@pytest.mark.parametrize("number", [0, LEAST - 1])
def test_a_small_design_stays_as_it_is(number: int):
    module = _module((number, "CE", 4))
    assert with_global_nets(module) == module
