"""What the proofs of RoPE see of where its angles come from: the interface, and the table."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import *
from amaranth.lib.memory import Memory

from design.angles import TableAngles
from design.arith import times_constant


@dataclass(frozen=True)
class Angles:
    """The inside of a variant of RoPE: of which pair the angle is read next, whether it is of a
    position, and where in `memory` that of a pair at a position is."""

    pair: Value
    at_position: Callable[[Value], Value]
    memory: Memory
    address: Callable[[Value, Value], Value]


def by_table(angles: TableAngles) -> Angles:
    def first(pos: Value) -> Value:
        return times_constant(pos, angles.pairs)

    return Angles(
        pair=angles.pair,
        at_position=lambda pos: angles.base == first(pos),
        memory=angles.table,
        address=lambda pos, pair: first(pos) + pair,
    )
