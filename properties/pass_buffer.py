"""The buffer between array and drain: passes go through it, none is lost."""

from typing import Any

from amaranth import *

from properties.dialect import ASSERT_FAIR, ASSUME_FAIR, Theorem, implies


class PassOrder(Theorem):
    """Each pass that the buffer takes it gives away once, unchanged and in order; until then it
    takes no other.

    `buffer` has the signature of `design.pass_buffer.PassBuffer`.
    """

    def __init__(self, buffer: Any):
        self.buffer = buffer

    def describe(self, m: Module) -> None:
        buffer = self.buffer
        comes, offered = (Value.cast(each.payload) for each in (buffer.i, buffer.o))
        takes, gives = buffer.i.valid & buffer.i.ready, buffer.o.valid & buffer.o.ready

        # The pass that was taken and not given away yet.
        owes = Signal()
        owed = Signal.like(comes)
        m.d.sync += owes.eq(Mux(owes, ~gives, takes & ~gives))
        with m.If(takes & ~owes):
            m.d.sync += owed.eq(comes)
        was_owing = Signal()
        m.d.sync += was_owing.eq(owes)

        self.claim(
            "takes_when_empty",
            buffer.i.ready == ~owes,
            "Nothing is taken while a pass is there, and when none is, all is.",
        )
        self.claim(
            "offers_what_it_owes",
            buffer.o.valid == (owes | buffer.i.valid),
            "A pass that is there, or just comes, is offered until it is taken.",
        )
        self.claim(
            "unchanged",
            implies(owes, offered == owed),
            "What was taken first is given away, as it was.",
        )
        self.claim(
            "straight_through",
            implies(takes, offered == comes),
            "A pass that meets an idle drain does not wait.",
        )

        self.witness("waited", gives & was_owing)
        self.witness("went_straight", takes & gives)


class PassFair(Theorem):
    """If the drain takes an offered pass always eventually, so does the buffer."""

    def __init__(self, buffer: Any):
        self.buffer = buffer
        self.takes = Signal()
        self.drains = Signal()

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem."""
        return {f"{ASSUME_FAIR}drains": self.drains, f"{ASSERT_FAIR}takes": self.takes}

    def describe(self, m: Module) -> None:
        buffer = self.buffer
        # Infinitely often, no offer waits.
        m.d.comb += self.drains.eq(~buffer.o.valid | buffer.o.ready)
        m.d.comb += self.takes.eq(~buffer.i.valid | buffer.i.ready)
        self.witness(
            "waits",
            buffer.i.valid & ~buffer.i.ready,
            "Infinitely often, no pass waits at the entrance.",
        )
