"""Models of the units whose elements meet each other: SwiGLU and RoPE."""

from collections.abc import Callable
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment

from design.rope import Rope
from design.swiglu import SwiGlu
from design.writeback import Writeback
from formal.harness.angles import Angles, by_table
from formal.harness.cordic import by_cordic
from formal.harness.inside import queue_inside
from formal.model import Model
from properties.pairs import PairsInPlace, UpMeetsSilu
from spec.config import Config, RopeBy
from spec.derived import derive


def silu_theorem(config: Config, unit: SwiGlu) -> UpMeetsSilu:
    """About a SwiGLU, wherever it is."""
    return UpMeetsSilu(
        unit,
        turn=derive(config).turn,
        delay=Writeback.scaled_latency,
        lead_time=unit.lead_time,
        up_width=config.numerics.up.width,
        silu_way=Cat(unit.gates.valid, unit.silu_coming),
        silu_here=unit.silu_here,
        silu=unit.silu,
        multiply=unit.multiply,
    )


#: Of each variant: what is inside.
ANGLES: dict[RopeBy, Callable[[Any], Angles]] = {RopeBy.TABLE: by_table, RopeBy.CORDIC: by_cordic}


def _inside(config: Config, unit: Rope) -> Angles:
    return ANGLES[config.numerics.rope_by](unit.angles)


def rope_theorem(config: Config, unit: Rope) -> PairsInPlace:
    """About a RoPE, wherever it is."""
    inside = _inside(config, unit)
    return PairsInPlace(
        unit,
        config.shape,
        turn=derive(config).turn,
        outs=unit.latencies,
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
