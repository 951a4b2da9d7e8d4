"""Models of the units whose elements meet each other: SwiGLU and RoPE."""

from amaranth import *
from amaranth.hdl import Fragment

from design import argmax, rope
from design.scalar import SCALAR_LATENCY
from design.swiglu import SwiGlu
from formal.harness.inside import queue_inside
from formal.model import Model
from properties.pairs import PairsInPlace, UpMeetsSilu
from spec.config import Config
from spec.derived import derive


def silu_theorem(config: Config, unit: SwiGlu) -> UpMeetsSilu:
    """About a SwiGLU, wherever it is."""
    return UpMeetsSilu(
        unit,
        turn=derive(config).turn,
        # From the drain to the units, as long as logits are on that way.
        delay=argmax._ON_THEIR_WAY - 1,
        up_width=config.numerics.up.width,
        silu_way=Cat(unit.gate_valid, unit.silu_coming),
        silu_here=unit.silu_here,
        silu=unit.silu,
        multiply=unit.multiply,
    )


def rope_theorem(config: Config, unit: rope.Rope) -> PairsInPlace:
    """About a RoPE, wherever it is."""
    turn = derive(config).turn
    _, first, _, second = rope.CYCLES[turn]
    return PairsInPlace(
        unit,
        config.shape,
        turn=turn,
        outs=(first + SCALAR_LATENCY + 1, second + SCALAR_LATENCY + 1),
        asked_last=second,
        place=(unit.section, unit.head, unit.d),
        waiting=unit.waiting,
        angle=unit.angle.as_value(),
        base=unit.base,
        pair=unit.pair,
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
    """Adds to the table a port at the angle of the pair that is turned."""
    dut = rope.Rope(config)
    in_table = dut.table.read_port(domain="comb")
    theorem = rope_theorem(config, dut)
    glue = Module()
    glue.d.comb += [in_table.addr.eq(theorem.at), theorem.in_table.eq(in_table.data)]
    return Model(dut, theorem, glue=glue)
