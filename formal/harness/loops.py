"""Models of the stages whose loops `properties.loops` takes the counters from."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from formal.harness.stages import DEVICES, projection
from formal.model import Model
from properties.loops import RowsLeftCovered
from properties.positions import ScorePositions, ValuePositions
from spec.config import Config

_POSITIONS = {"score": ScorePositions, "value": ValuePositions}


def rows_left(config: Config) -> Model:
    """The projection stage as it is."""
    device = projection(config)
    dut: Any = device.dut
    theorem = RowsLeftCovered(config, dut, dut.rows_left, device.invariants(()))
    return Model(dut, theorem, inside=device.inside)


def positions(config: Config, *, stage: str) -> Model:
    """The score or the value stage as it is."""
    device = DEVICES[stage](config)
    dut: Any = device.dut

    def invariants(pos: Value) -> Mapping[str, Value]:
        return {**device.invariants(()), "pos_is_kept": ~dut.o.valid | (dut.own_pos == pos)}

    return Model(dut, _POSITIONS[stage](config, dut, invariants))
