"""Which up meets which silu, and which element of a query or key which partner."""

from typing import Any

from amaranth import *

from design.beat import Sink
from properties.dialect import Theorem, anything, implies


class UpMeetsSilu(Theorem):
    """Each silu is multiplied by the up of its own gate, once and in order, and none is lost, as
    long as gates and ups take turns, in the phases in which rows leave the drain.

    `swiglu` has the signature of `design.swiglu.SwiGlu`; a row comes `delay` cycles after it left.
    About any pair. Of the inside, `silu_way` are the flags of the gates on their way to `silu`,
    youngest first, `silu_here` says that there is one, and `multiply` that it meets its up. For
    the induction, `stored` must be driven with the up `ahead` places behind the first that waits,
    and `consistent` says that the queue holds `ups` of them. Obligations: 10.
    """

    def __init__(
        self,
        swiglu: Any,
        *,
        turn: int,
        delay: int,
        up_width: int,
        silu_way: Value,
        silu_here: Value,
        silu: Value,
        multiply: Value,
    ):
        self.swiglu = swiglu
        self.turn = turn
        self.delay = delay
        self.silu_way = silu_way
        self.silu_here = silu_here
        self.silu = silu
        self.multiply = multiply
        self.pairs = Signal(range(16))
        self.ups = Signal.like(self.pairs)
        self.ahead = Signal.like(self.pairs)
        self.stored = Signal(signed(up_width))
        self.consistent = Signal()

    def elaborate(self, platform):
        m = Module()
        swiglu, pairs, ahead, multiply = self.swiglu, self.pairs, self.ahead, self.multiply
        comes = swiglu.i_valid & (swiglu.i.sink == Sink.W13)
        up_next = Signal()
        gate, up = comes & ~up_next, comes & up_next
        m.d.sync += up_next.eq(up_next ^ comes)
        # When a row came, its place in the turns of the drain, which count on.
        phase = Signal.like(swiglu.phase)
        m.d.sync += phase.eq(Mux(phase == 2 * self.turn - 1, 0, phase + 1))
        due = [(self.delay + late) % (2 * self.turn) for late in (0, self.turn)]
        m.d.comb += [
            # Phases follow one another.
            self.suppose("phase", swiglu.phase == phase),
            # Even rows are gates, odd ones their ups.
            self.suppose("take_turns", implies(comes, swiglu.i.row[0] == up_next)),
            # They come as many cycles behind their phase as the way from the drain takes.
            self.suppose("in_phase", implies(comes, phase == Mux(up_next, due[1], due[0]))),
        ]

        m.d.sync += pairs.eq(pairs + gate - multiply)
        m.d.comb += self.ups.eq(pairs - up_next)
        # One pair is looked at, from its gate until it is multiplied; so many are in front of it.
        looked_at, has_up, kept = Signal(), Signal(), Signal()
        its_up, its_silu = Signal.like(self.stored), Signal.like(self.silu)
        age = Signal(range(len(self.silu_way) + 1))
        made = age == len(self.silu_way)
        its_turn = looked_at & multiply & (ahead == 0)
        with m.If(looked_at):
            m.d.sync += [
                looked_at.eq(~its_turn),
                ahead.eq(ahead - (multiply & ~its_turn)),
                age.eq(Mux(made, age, age + 1)),
                kept.eq(made),
            ]
            with m.If(up & ~has_up):
                m.d.sync += [has_up.eq(1), its_up.eq(swiglu.i.value)]
            with m.If(~kept):
                m.d.sync += its_silu.eq(self.silu)
        with m.Elif(gate & anything(1)):
            m.d.sync += [looked_at.eq(1), ahead.eq(pairs - multiply)]
            m.d.sync += [has_up.eq(0), kept.eq(0), age.eq(0)]

        # Every up finds room, and no silu comes before the last one met its up.
        m.d.comb += self.claim("no_fault", ~swiglu.fault)
        # The product of silu and up is asked for while the slope of no sigmoid is.
        m.d.comb += self.claim("one_product", ~(multiply & self.silu_way[0]))
        # What is multiplied is the silu that came of the pair's gate ...
        factors = swiglu.requests[0]
        same_silu = factors.a == Mux(kept, its_silu, self.silu)
        m.d.comb += self.claim("its_silu", implies(its_turn, made & same_silu))
        # ... and the first up that came behind that gate.
        m.d.comb += self.claim("its_up", implies(its_turn, has_up & (factors.b == its_up)))
        # An element leaves 3 cycles after its product was asked for, and no other.
        asked = Signal(3)
        m.d.sync += asked.eq(Cat(multiply, asked))
        m.d.comb += self.claim("leaves", swiglu.o_valid == asked[-1])

        # Gates that were not multiplied are on their way, or a silu that waits.
        there = sum(self.silu_way, self.silu_here)
        m.d.comb += self.claim("all_there", pairs == there)
        # Their ups wait, but that of the last may not have come.
        m.d.comb += self.claim("queued", self.consistent & (pairs >= up_next))
        # The pair looked at is in its place on that way, behind the others.
        older = sum((flag & (age < n) for n, flag in enumerate(self.silu_way)), self.silu_here)
        on_its_way = self.silu_way.bit_select(age, 1) & (ahead == older) & ~kept
        waits = self.silu_here & (ahead == 0) & (~kept | (self.silu == its_silu))
        place = Mux(made, waits, on_its_way)
        m.d.comb += self.claim("in_its_place", implies(looked_at, place))
        # So is its up.
        in_queue = (ahead < self.ups) & (self.stored == its_up)
        comes_next = up_next & (ahead + 1 == pairs)
        up_place = Mux(has_up, in_queue, comes_next)
        m.d.comb += self.claim("up_in_its_place", implies(looked_at, up_place))
        # There are as many phases as in two turns.
        m.d.comb += self.claim("phase_exists", phase < 2 * self.turn)

        m.d.comb += self.witness("behind_one", its_turn & (pairs > 1) & (its_up != 0))
        return m
