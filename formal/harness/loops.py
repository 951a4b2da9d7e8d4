"""Models of the stages whose loops `properties.loops` takes the counters from."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from formal.harness.stage import named_signals
from formal.harness.stages import DEVICES
from formal.model import Model
from properties.loops import RowsLeftCovered
from properties.positions import ScorePositions, ValuePositions
from spec.config import Config

_POSITIONS = {"score": ScorePositions, "value": ValuePositions}


def rows_left(config: Config) -> Model:
    """The projection stage as it is."""
    device = DEVICES["projection"](config)
    assert device.inside
    left = named_signals(device.inside)["rows_left"]
    theorem = RowsLeftCovered(config, device.dut, left, device.invariants(()))
    return Model(device.dut, theorem, inside=device.inside)


def positions(config: Config, *, stage: str) -> Model:
    """The score or the value stage as it is."""
    device = DEVICES[stage](config)
    dut: Any = device.dut
    assert device.inside
    own = named_signals(device.inside)["pos"]

    def invariants(pos: Value) -> Mapping[str, Value]:
        return {**device.invariants(()), "pos_is_kept": ~dut.o.valid | (own == pos)}

    return Model(dut, _POSITIONS[stage](config, dut, invariants), inside=device.inside)
