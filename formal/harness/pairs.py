"""Models of the units whose elements meet each other: SwiGLU and RoPE."""

from amaranth import *
from amaranth.hdl import Fragment

from design.rope import Rope
from design.swiglu import SwiGlu
from design.writeback import Writeback
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
        delay=Writeback.scaled_latency,
        lead_time=unit.lead_time,
        up_width=config.numerics.up.width,
        silu_way=Cat(unit.gates.valid, unit.silu_coming),
        silu_here=unit.silu_here,
        silu=unit.silu,
        multiply=unit.multiply,
    )


def rope_theorem(config: Config, unit: Rope) -> PairsInPlace:
    """About a RoPE, wherever it is."""
    return PairsInPlace(
        unit,
        config.shape,
        turn=derive(config).turn,
        outs=unit.latencies,
        asked_last=unit.asks_after[-1],
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
    dut = Rope(config)
    in_table = dut.table.read_port(domain="comb")
    theorem = rope_theorem(config, dut)
    glue = Module()
    glue.d.comb += [in_table.addr.eq(theorem.at), theorem.in_table.eq(in_table.data)]
    return Model(dut, theorem, glue=glue)
