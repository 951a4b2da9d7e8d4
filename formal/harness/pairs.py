"""Models of the units whose elements meet each other: SwiGLU and RoPE."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib.memory import Memory

from design.angles import TableAngles
from design.arith import times_constant
from design.cordic import CordicAngles
from design.rope import Rope
from design.swiglu import SwiGlu
from design.writeback import Writeback
from formal.harness.inside import queue_inside
from formal.model import Model
from properties.pairs import PairsInPlace, UpMeetsSilu
from spec.config import Config, RopeBy


def silu_theorem(config: Config, unit: SwiGlu) -> UpMeetsSilu:
    """About a SwiGLU, wherever it is."""
    return UpMeetsSilu(
        config,
        unit,
        delay=Writeback.scaled_latency,
        silu_way=Cat(unit.gates.valid, unit.silu_coming),
        silu_here=unit.silu_here,
        silu=unit.silu,
        multiply=unit.multiply,
    )


@dataclass(frozen=True)
class Angles:
    """The inside of a variant of RoPE: of which pair the angle is read next, whether it is of a
    position, and where in `memory` that of a pair at a position is."""

    pair: Value
    at_position: Callable[[Value], Value]
    memory: Memory
    address: Callable[[Value, Value], Value]


def _by_table(angles: TableAngles) -> Angles:
    def first(pos: Value) -> Value:
        return times_constant(pos, angles.pairs)

    return Angles(
        pair=angles.pair,
        at_position=lambda pos: angles.base == first(pos),
        memory=angles.table,
        address=lambda pos, pair: first(pos) + pair,
    )


def _by_cordic(angles: CordicAngles) -> Angles:
    """Its memory is of one position alone."""
    return Angles(
        pair=angles.pair,
        at_position=lambda pos: C(1),
        memory=angles.rotations,
        address=lambda pos, pair: pair,
    )


#: Of each variant: what is inside.
ANGLES: dict[RopeBy, Callable[[Any], Angles]] = {
    RopeBy.TABLE: _by_table,
    RopeBy.CORDIC: _by_cordic,
}


def _inside(config: Config, unit: Rope) -> Angles:
    return ANGLES[config.numerics.rope_by](unit.angles)


def rope_theorem(config: Config, unit: Rope) -> PairsInPlace:
    """About a RoPE, wherever it is."""
    inside = _inside(config, unit)
    return PairsInPlace(
        config,
        unit,
        asked_last=unit.asks_after[-1],
        place=(unit.section, unit.head, unit.d),
        waiting=unit.waiting,
        angle=unit.angles.o.as_value(),
        pair=inside.pair,
        at_position=inside.at_position,
    )


def up_meets_silu(config: Config) -> Model:
    """Adds to the queue of ups a port at the place of the one that is looked at."""
    dut = SwiGlu(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, dut.ups)
    theorem = silu_theorem(config, dut)
    glue = queue.shown_to(theorem, holds=theorem.ups)
    return Model(dut, theorem, inside=inside, glue=glue)


def pairs_in_place(config: Config) -> Model:
    """Adds to the memory of angles a port at that of the pair that is turned."""
    dut = Rope(config)
    inside = _inside(config, dut)
    in_memory = inside.memory.read_port(domain="comb")
    theorem = rope_theorem(config, dut)
    glue = Module()
    glue.d.comb += [
        in_memory.addr.eq(inside.address(theorem.pos, theorem.at_pair)),
        theorem.in_memory.eq(in_memory.data),
    ]
    return Model(dut, theorem, glue=glue)
