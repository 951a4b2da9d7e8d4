"""Models of the units whose elements meet each other: SwiGLU and RoPE."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from design import argmax, rope
from design.scalar import SCALAR_LATENCY
from design.swiglu import SwiGlu
from formal.harness.stage import look_inside, queue_inside
from formal.model import Model
from properties.pairs import PairsInPlace, UpMeetsSilu
from spec.config import Config
from spec.derived import derive


def silu_theorem(config: Config, unit: Any, hidden: Mapping[str, Signal]) -> UpMeetsSilu:
    """About a SwiGLU, wherever it is, and what is `hidden` in it."""
    return UpMeetsSilu(
        unit,
        turn=derive(config).turn,
        # From the drain to the units, as long as logits are on that way.
        delay=argmax._ON_THEIR_WAY - 1,
        up_width=config.numerics.up.width,
        silu_way=Cat(hidden["gate_valid"], hidden["silu_coming"]),
        silu_here=hidden["silu_here"],
        silu=hidden["silu"],
        multiply=hidden["multiply"],
    )


def rope_theorem(config: Config, unit: Any, hidden: Mapping[str, Signal]) -> PairsInPlace:
    """About a RoPE, wherever it is, and what is `hidden` in it."""
    turn = derive(config).turn
    _, first, _, second = rope.CYCLES[turn]
    return PairsInPlace(
        unit,
        config.shape,
        turn=turn,
        outs=(first + SCALAR_LATENCY + 1, second + SCALAR_LATENCY + 1),
        asked_last=second,
        place=(hidden["section"], hidden["head"], hidden["d"]),
        waiting=hidden["waiting"],
        angle=hidden["angle"],
        base=hidden["row"],
        pair=hidden["pair"],
    )


def up_meets_silu(config: Config) -> Model:
    """Adds to the queue of ups a port at the place of the one that is looked at."""
    dut = SwiGlu(config)
    inside, hidden = look_inside(dut)
    queue = queue_inside(inside, "ups")
    theorem = silu_theorem(config, dut, hidden)
    glue = queue.shown_to(theorem, holds=theorem.ups)
    return Model(dut, theorem, inside=inside, glue=glue)


def pairs_in_place(config: Config) -> Model:
    """Adds to the table a port at the angle of the pair that is turned."""
    dut = rope.Rope(config)
    inside, hidden = look_inside(dut)
    theorem = rope_theorem(config, dut, hidden)
    table: Fragment = inside.find_subfragment("table")
    table.read_port(
        domain="comb", addr=theorem.at, data=theorem.in_table, en=C(1, 1), transparent_for=()
    )
    return Model(dut, theorem, inside=inside)
