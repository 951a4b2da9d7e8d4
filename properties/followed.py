"""One item of a queue or pipeline, followed from its entrance to its exit."""

from dataclasses import dataclass

from amaranth import *

from properties.dialect import anything


@dataclass(frozen=True)
class Followed:
    """`begins`: in this cycle it comes; `looked_at`: it is inside; `its_turn`: it leaves."""

    begins: Value
    looked_at: Value
    its_turn: Value


def follow(m: Module, ahead: Signal, *, comes: Value, leaves: Value, inside: Value) -> Followed:
    """Look at any one that `comes`, while `ahead` counts those in front of it.

    `inside` is how many are there, before this cycle's `comes` and `leaves`.
    """
    looked_at = Signal(name="looked_at")
    begins = Signal(name="looked_at_begins")
    its_turn = looked_at & leaves & (ahead == 0)
    m.d.comb += begins.eq(~looked_at & comes & anything(1))
    with m.If(looked_at):
        m.d.sync += [looked_at.eq(~its_turn), ahead.eq(ahead - (leaves & ~its_turn))]
    with m.Elif(begins):
        m.d.sync += [looked_at.eq(1), ahead.eq(inside - leaves)]
    return Followed(begins, looked_at, its_turn)
