"""Which up meets which silu, and which element of a query or key which partner."""

import itertools
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from amaranth import *
from amaranth.lib import data

from design.arith import times_constant
from design.beat import Sink
from properties.dialect import Theorem, implies
from properties.followed import follow
from spec.config import Config
from spec.derived import derive


class UpMeetsSilu(Theorem):
    """Each silu is multiplied by the up of its own gate, once and in order, and none is lost, as
    long as gates and ups take turns, in the phases in which rows leave the drain.

    `swiglu` has the signature of `design.swiglu.SwiGlu`; a row comes `delay` cycles after it left,
    and an element leaves its lead time after its product was asked for. About any pair. Of the
    inside, `silu_way` are the flags of the gates on their way to `silu`, youngest first,
    `silu_here` says that there is one, and `multiply` that it meets its up. For the induction,
    `stored` must be driven with the up `ahead` places behind the first that waits, and `consistent`
    says that the queue holds `ups` of them.
    """

    def __init__(
        self,
        config: Config,
        swiglu: Any,
        *,
        delay: int,
        silu_way: Value,
        silu_here: Value,
        silu: Value,
        multiply: Value,
    ):
        self.swiglu = swiglu
        self.turn = derive(config).turn
        self.delay = delay
        self.silu_way = silu_way
        self.silu_here = silu_here
        self.silu = silu
        self.multiply = multiply
        self.pairs = Signal(range(16))
        self.ups = Signal.like(self.pairs)
        self.ahead = Signal.like(self.pairs)
        self.stored = Signal(signed(config.numerics.up.width))
        self.consistent = Signal()

    def describe(self, m: Module) -> None:
        swiglu, pairs, ahead, multiply = self.swiglu, self.pairs, self.ahead, self.multiply
        comes = swiglu.i.valid & (swiglu.i.p.sink == Sink.W13)
        up_next = Signal()
        gate, up = comes & ~up_next, comes & up_next
        m.d.sync += up_next.eq(up_next ^ comes)
        # When a row came, its place in the turns of the drain, which count on.
        phase = Signal.like(swiglu.phase)
        m.d.sync += phase.eq(Mux(phase == 2 * self.turn - 1, 0, phase + 1))
        due = [(self.delay + late) % (2 * self.turn) for late in (0, self.turn)]
        self.suppose("phase", swiglu.phase == phase, "Phases follow one another.")
        self.suppose(
            "take_turns",
            implies(comes, swiglu.i.p.row[0] == up_next),
            "Even rows are gates, odd ones their ups.",
        )
        self.suppose(
            "in_phase",
            implies(comes, phase == Mux(up_next, due[1], due[0])),
            "They come as many cycles behind their phase as the way from the drain takes.",
        )

        m.d.sync += pairs.eq(pairs + gate - multiply)
        m.d.comb += self.ups.eq(pairs - up_next)
        # One pair is looked at, from its gate until it is multiplied; so many are in front of it.
        has_up, kept = Signal(), Signal()
        its_up, its_silu = Signal.like(self.stored), Signal.like(self.silu)
        age = Signal(range(len(self.silu_way) + 1))
        made = age == len(self.silu_way)
        one = follow(m, ahead, comes=gate, leaves=multiply, inside=pairs)
        looked_at, its_turn = one.looked_at, one.its_turn
        with m.If(looked_at):
            m.d.sync += [age.eq(Mux(made, age, age + 1)), kept.eq(made)]
            with m.If(up & ~has_up):
                m.d.sync += [has_up.eq(1), its_up.eq(swiglu.i.p.value)]
            with m.If(~kept):
                m.d.sync += its_silu.eq(self.silu)
        with m.Elif(one.begins):
            m.d.sync += [has_up.eq(0), kept.eq(0), age.eq(0)]

        self.claim(
            "no_fault",
            ~swiglu.fault,
            "Every up finds room, and no silu comes before the last one met its up.",
        )
        self.claim(
            "one_product",
            ~(multiply & self.silu_way[0]),
            "The product of silu and up is asked for while the slope of no sigmoid is.",
        )
        factors = swiglu.requests[0]
        same_silu = factors.a == Mux(kept, its_silu, self.silu)
        self.claim(
            "its_silu",
            implies(its_turn, made & same_silu),
            "What is multiplied is the silu that came of the pair's gate ...",
        )
        self.claim(
            "its_up",
            implies(its_turn, has_up & (factors.b == its_up)),
            "... and the first up that came behind that gate.",
        )
        asked = Signal(swiglu.lead_time)
        m.d.sync += asked.eq(Cat(multiply, asked))
        self.claim(
            "leaves",
            swiglu.o.valid == asked[-1],
            "An element leaves its lead time after its product was asked for, and no other.",
        )

        there = sum(self.silu_way, self.silu_here)
        self.claim(
            "all_there",
            pairs == there,
            "Gates that were not multiplied are on their way, or a silu that waits.",
        )
        self.claim(
            "queued",
            self.consistent & (pairs >= up_next),
            "Their ups wait, but that of the last may not have come.",
        )
        older = sum((flag & (age < n) for n, flag in enumerate(self.silu_way)), self.silu_here)
        on_its_way = self.silu_way.bit_select(age, 1) & (ahead == older) & ~kept
        waits = self.silu_here & (ahead == 0) & (~kept | (self.silu == its_silu))
        place = Mux(made, waits, on_its_way)
        self.claim(
            "in_its_place",
            implies(looked_at, place),
            "The pair looked at is in its place on that way, behind the others.",
        )
        in_queue = (ahead < self.ups) & (self.stored == its_up)
        comes_next = up_next & (ahead + 1 == pairs)
        up_place = Mux(has_up, in_queue, comes_next)
        self.claim("up_in_its_place", implies(looked_at, up_place), "So is its up.")
        self.claim(
            "phase_exists", phase < 2 * self.turn, "There are as many phases as in two turns."
        )

        self.witness(
            "behind_one",
            its_turn & (pairs > 1) & (its_up != 0),
            "Of several pairs on their way the first is multiplied.",
        )


@dataclass(eq=False)
class PairsInPlace(Theorem):
    """RoPE turns row 2n of queries and keys with row 2n + 1, by the angle of the position and of
    the pair in its head; each row leaves once, as the tensor, head and element that it is, as long
    as rows come in order and no faster than its docstring allows.

    `rope` has the signature of `design.rope.Rope`. The last product of a pair is
    asked for `asked_last` cycles after b. Of the inside,
    `place` are section, head and element that come next, `waiting` is the first of a pair, `angle`
    what pairs are turned by; that of `pair` is read next, if `at_position` says that those of the
    position are. `in_memory` must be driven with the angle of pair `at_pair` at `pos`.
    """

    config: Config
    rope: Any
    _: KW_ONLY
    asked_last: int
    place: tuple[Value, Value, Value]
    waiting: Value
    angle: Value
    pair: Value
    at_position: Callable[[Value], Value]

    def __post_init__(self):
        shape = self.config.shape
        self.pos = Signal(range(shape.seq_len))
        self.at_pair = Signal(range(shape.head_dim // 2))
        self.in_memory = Signal(len(self.angle))

    def describe(self, m: Module) -> None:
        rope, shape, turn = self.rope, self.config.shape, derive(self.config).turn
        section, head, d = self.place
        pairs = shape.head_dim // 2
        starts = (0, shape.q_dim, shape.q_dim + shape.kv_dim, shape.q_dim + 2 * shape.kv_dim)

        def row_of(section: Value, head: Value, d: Value) -> Value:
            """The row of QKV that is this element: Q, K, V one behind the other."""
            return Array(starts)[section] + times_constant(head, shape.head_dim) + d

        # The row that comes next, of which token, and whether its tensor is turned.
        row, pos = Signal(range(starts[-1] + 1)), self.pos
        comes = rope.i.valid & (rope.i.p.sink == Sink.QKV)
        turned, odd = row < starts[2], row[0]
        with m.If(rope.clear):
            m.d.sync += row.eq(0)
        with m.Elif(comes):
            m.d.sync += row.eq(row + 1)
        with m.If(rope.first_token):
            m.d.sync += pos.eq(0)
        with m.Elif(rope.next_token):
            m.d.sync += pos.eq(pos + 1)

        # What came so many cycles ago.
        what = data.StructLayout({"b": 1, "value": 1, "row": row.shape(), "pair": range(pairs)})
        came = [Signal(what, name=f"came_{n}_ago") for n in range(rope.latencies[1] + 1)]
        m.d.comb += [
            came[0].b.eq(comes & turned & odd),
            came[0].value.eq(comes & ~turned),
            came[0].row.eq(row),
            came[0].pair.eq(d >> 1),
        ]
        m.d.sync += [later.eq(sooner) for sooner, later in itertools.pairwise(came)]
        begins = rope.next_token | rope.first_token
        restarts = rope.clear | begins
        quiet = Signal(2)
        m.d.sync += quiet.eq(Cat(rope.ready & ~restarts, quiet))
        recent = Cat(each.b for each in came[1 : 2 * turn])
        busy = Cat(Cat(each.b, each.value) for each in came[1:])
        self.suppose(
            "in_order",
            implies(comes, (rope.i.p.row == row) & (row < starts[-1])),
            "Rows of QKV come in order, and no more than there are.",
        )
        self.suppose(
            "no_faster",
            implies(came[0].b, ~recent.any()),
            "A pair comes so many cycles after the one before, at least.",
        )
        self.suppose(
            "begins_empty",
            implies(restarts, ~comes & ~busy.any() & ~(turned & odd)) & implies(begins, rope.ready),
            "Token and projection begin while nothing is on its way, a token while the angles"
            " of the one before are there, ...",
        )
        self.suppose(
            "then_rows",
            implies(comes, quiet.all()),
            "... and rows 2 cycles later, or more, and 2 after its angles are there.",
        )
        self.suppose(
            "position_exists",
            implies(rope.next_token & ~rope.first_token, pos != shape.seq_len - 1),
            "There is a position for the token.",
        )

        heads = Mux(section == 0, shape.heads, shape.kv_heads)
        exists = (section == 3) | ((head < heads) & (d < shape.head_dim))
        self.claim(
            "element",
            exists & (row_of(section, head, d) == row),
            "The element that comes is the one that its row says.",
        )
        last = Signal.like(rope.i.p.value)
        with m.If(comes):
            m.d.sync += last.eq(rope.i.p.value)
        self.claim(
            "partner",
            implies(turned & odd, self.waiting == last),
            "The first of a pair waits for the row behind it.",
        )
        since_b = came[1 : self.asked_last + 1]
        before_b = turned & odd & (turn == 1)
        pair = d >> 1
        for each in since_b:
            pair = Mux(each.b, each.pair, pair)
        m.d.comb += self.at_pair.eq(pair)
        is_turned = before_b | Cat(each.b for each in since_b).any()
        self.claim(
            "angle",
            implies(is_turned, self.angle == self.in_memory),
            "From the first of its products to the last, a pair is turned by its own angle.",
        )
        next_pair = (d + (turn == 1)) >> 1
        at_pair = self.pair == Mux(next_pair == pairs, 0, next_pair)
        at_pos = (pos < shape.seq_len) & self.at_position(pos)
        self.claim(
            "reads_ahead",
            at_pos & implies(turned, at_pair),
            "What is read is of the token's position, which exists, and of the pair that comes.",
        )

        self.claim(
            "empty",
            implies(~rope.ready, ~busy.any() & ~(turned & odd)),
            "Nothing is on its way while the angles are not there.",
        )

        first, second = (came[ago] for ago in rope.latencies)
        leaves = rope.o.q | rope.o.k | rope.o.v
        out_row = row_of(Mux(rope.o.q, 0, Mux(rope.o.k, 1, 2)), rope.o.head, rope.o.d)
        self.claim(
            "first",
            implies(first.b, leaves & (out_row == first.row - 1)),
            "The first of a pair leaves so many cycles after the second came, ...",
        )
        same_row = leaves & (out_row == second.row)
        self.claim(
            "second",
            implies(second.b | second.value, same_row),
            "... the second later, as does a value, each as the row that it is, ...",
        )
        self.claim(
            "no_other",
            implies(leaves, first.b | second.b | second.value),
            "... and nothing else does.",
        )
        self.claim("no_fault", ~rope.fault, "No two leave at once.")

        self.witness(
            "second_pair", second.b & (second.row == 3), "The second pair of a head was turned."
        )
