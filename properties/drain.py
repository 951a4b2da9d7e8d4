"""The drain: what of a pass leaves, in which order, in which cycles."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from design.beat import Sink
from properties.dialect import Theorem, implies
from spec.config import Config
from spec.derived import derive


class _Drained(Theorem):
    """The pass that leaves: what it was, how much of it has left.

    `drain` has the signature of `design.drain.Drain`. `invariants` gives statements about its
    inside, from the theorem: claimed, not believed.
    """

    def __init__(
        self, config: Config, drain: Any, invariants: Callable[[Any], Mapping[str, Value]]
    ):
        self.config = config
        self.drain = drain
        self.invariants = invariants
        derived = derive(config)
        self.beat = Signal.like(drain.i.p.beat)
        self.works = Signal()
        # Results that left; of value sums also the slot and the element that comes next.
        self.place = Signal(range(config.geometry.lanes + 1))
        self.slot = Signal(range(derived.slots + 1))
        self.element = Signal(range(derived.v_word + 1))
        # What of the values is none: elements beyond the head, slots beyond the last head.
        self.elements = Signal(range(derived.v_word + 1))
        self.heads = Signal(range(derived.slots + 1))
        self.captures = Signal()
        self.last = Signal()
        # The readies of the cycle before, which decide in this one.
        self.norm_was_ready = Signal()
        self.reciprocals_were_ready = Signal()
        self.logits_were_ready = Signal()

    def observe(self, m: Module) -> None:
        """Drive the signals, suppose what `MultiplierArray` and the stages promise."""
        shape, derived, drain = self.config.shape, derive(self.config), self.drain
        lanes, beat = self.config.geometry.lanes, self.beat
        is_value = beat.sink == Sink.VALUE
        leaves = drain.o.valid | drain.scores.valid
        rest_of_head = shape.head_dim - beat.d
        rest_of_heads = shape.heads - beat.block * derived.slots
        end_of_slot = self.element == self.elements - 1
        m.d.comb += [
            self.captures.eq(drain.i.valid & drain.i.ready),
            self.elements.eq(Mux(rest_of_head < derived.v_word, rest_of_head, derived.v_word)),
            self.heads.eq(Mux(rest_of_heads < derived.slots, rest_of_heads, derived.slots)),
            self.last.eq(
                Mux(
                    is_value,
                    (self.slot == self.heads - 1) & end_of_slot,
                    self.place == beat.count - 1,
                )
            ),
        ]
        m.d.sync += [
            self.norm_was_ready.eq(drain.norm_ready),
            self.reciprocals_were_ready.eq(drain.reciprocals_ready),
            self.logits_were_ready.eq(drain.logits_ready),
        ]
        with m.If(leaves):
            m.d.sync += [self.place.eq(self.place + 1), self.element.eq(self.element + 1)]
            with m.If(end_of_slot):
                m.d.sync += [self.element.eq(0), self.slot.eq(self.slot + 1)]
            with m.If(self.last):
                m.d.sync += self.works.eq(0)
        with m.If(self.captures):
            m.d.sync += [beat.eq(drain.i.p.beat), self.works.eq(1)]
            m.d.sync += [self.place.eq(0), self.slot.eq(0), self.element.eq(0)]

        comes = drain.i.p.beat
        most = Mux(comes.sink == Sink.SCORE, derived.per_slot, lanes >> comes.folded)
        full = implies(comes.sink == Sink.VALUE, comes.count == lanes)
        unfolded = implies((comes.sink == Sink.SCORE) | (comes.sink == Sink.VALUE), ~comes.folded)
        of_a_head = (comes.d < shape.head_dim) & (comes.d & (derived.v_word - 1) == 0)
        promises = {
            "count_in_range": (
                (comes.count > 0) & (comes.count <= most) & full,
                "A pass holds something, and no more than fits; one of values is full.",
            ),
            "folds_projections": (
                unfolded & implies(comes.folded, derived.slots > 1),
                "Only projections are folded, and only where there are slots to fold.",
            ),
            "row_of_a_pass": (
                comes.row & (lanes - 1) == 0,
                "A pass begins at a multiple of the lanes.",
            ),
            "values_of_a_head": (
                implies(comes.sink == Sink.VALUE, of_a_head),
                "Values begin at a word of a head.",
            ),
            "block_in_range": (comes.block < derived.head_blocks, "The block of heads exists."),
        }
        for name, (promise, said) in promises.items():
            self.suppose(name, implies(drain.i.valid, promise), said)
        self.claim_inside(self.invariants(self))

    def factors(self) -> Value:
        """What sums of this pass wait for was there in the cycle before."""
        sink = self.beat.sink
        by_norm = (sink == Sink.QKV) | (sink == Sink.W13) | (sink == Sink.CLS)
        return (
            implies(by_norm, self.norm_was_ready)
            & implies(sink == Sink.VALUE, self.reciprocals_were_ready)
            & implies(sink == Sink.CLS, self.logits_were_ready)
        )


class DrainOrder(_Drained):
    """Each row, score and value sum of a pass leaves the drain once, unchanged and in order, the
    padding never, before the next pass is captured.

    Obligations: 6, and one for each invariant.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        # A lane, the solver's choice, and what its row, with the other half if it is folded, is.
        self.lane = Signal(range(self.config.geometry.lanes), name="lane")
        self.left = Signal.like(self.drain.o.p.sum)
        self.right = Signal.like(self.drain.o.p.sum)
        self.shift = Signal.like(self.drain.o.p.shift)

    def describe(self, m: Module) -> None:
        self.observe(m)
        derived, drain, beat = derive(self.config), self.drain, self.beat
        lanes = self.config.geometry.lanes
        self.choose(self.lane, lanes)
        with m.If(self.captures):
            m.d.sync += [
                self.left.eq(Array(drain.i.p.sums)[self.lane]),
                self.right.eq(Array(drain.i.p.sums)[(self.lane + lanes // 2)[: len(self.lane)]]),
                self.shift.eq(Array(drain.i.p.shifts)[self.lane]),
            ]
        result, scores = drain.o.p, drain.scores.p
        is_score, is_value = beat.sink == Sink.SCORE, beat.sink == Sink.VALUE
        leaves = drain.o.valid | drain.scores.valid
        same_pass = (result.sink == beat.sink) & (result.block == beat.block)

        right_kind = self.works & (drain.scores.valid == is_score) & (drain.o.valid == ~is_score)
        self.claim(
            "of_a_pass",
            implies(leaves, right_kind),
            "Only what a pass holds leaves: results or scores, whichever it has.",
        )
        name = Mux(is_value, result.slot == self.slot, result.row == beat.row + self.place)
        own = same_pass & (result.layer == beat.layer) & name
        if self.config.shape.qkv_bias:
            own = own & (result.bias == beat.bias)
        self.claim(
            "in_order", implies(drain.o.valid, own), "Results leave in order, each with its name."
        )
        position = (scores.t == (beat.t + self.place)[: len(scores.t)]) & (
            scores.last == (beat.newest & self.last)
        )
        same_heads = (scores.block == beat.block) & (scores.layer == beat.layer)
        self.claim(
            "scores_in_order",
            implies(drain.scores.valid, position & same_heads),
            "Scores leave position by position.",
        )
        place = Mux(is_value, self.slot * derived.per_slot + self.element, self.place)
        total = Mux(beat.folded, self.left + self.right, self.left)[: len(result.sum)].as_signed()
        unchanged = (result.sum == total) & (is_value | (result.shift == self.shift))
        mine = drain.o.valid & (place == self.lane)
        self.claim(
            "unchanged",
            implies(mine, unchanged),
            "What leaves from a lane is what it held, both halves of it if it was folded.",
        )
        bits = exact_log2(derived.per_slot)
        of_slot = Array(scores.sums[n] for n in range(derived.slots))[self.lane >> bits]
        its_turn = drain.scores.valid & (self.place == (self.lane & (derived.per_slot - 1)))
        self.claim(
            "score_unchanged",
            implies(its_turn, of_slot == self.left),
            "A slot's score is the sum of the lane whose turn it is, of every slot.",
        )
        finished = ~self.works | (leaves & self.last)
        self.claim(
            "none_overwritten",
            implies(self.captures, finished),
            "The next pass is captured when all of this one has left, or leaves now.",
        )

        def behind_first(several: bool) -> Value:
            """From a lane behind the first, where there are several."""
            return mine & (self.lane != 0) if several else mine

        self.witness("row", behind_first(lanes > 1) & ~is_value)
        self.witness("value_sum", behind_first(lanes > 1) & is_value)
        self.witness("score", its_turn & self.last & (of_slot != 0))
        if derived.slots > 1:
            self.witness("folded", behind_first(lanes > 2) & beat.folded)


class DrainTiming(_Drained):
    """Sums leave the drain in their phases, each only if what it waits for was there in the cycle
    before; while all of that is there, a pass occupies it no longer than told.

    Obligations: 4, and one for each invariant.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        derived, lanes = derive(self.config), self.config.geometry.lanes
        most = (lanes + 1) * derived.turn
        # Cycles since the capture, this one included; whether nothing was waited for in those
        # before this one.
        self.age = Signal(range(most + 2))
        self.smooth = Signal()
        #: Cycles that the pass may take, and, while it is smooth, those from this one on.
        self.limit = Signal(range(most + 1))
        self.rest = Signal(range(most + 1))

    def describe(self, m: Module) -> None:
        self.observe(m)
        derived, drain, beat = derive(self.config), self.drain, self.beat
        turn, lanes = derived.turn, self.config.geometry.lanes
        ready = self.norm_was_ready & self.reciprocals_were_ready & self.logits_were_ready
        smooth = self.smooth & ready
        m.d.sync += self.smooth.eq(self.captures | smooth)
        with m.If(self.captures):
            m.d.sync += self.age.eq(1)
        with m.Elif(smooth):
            m.d.sync += self.age.eq(Mux(self.age == self.limit, self.age, self.age + 1))

        takes_turns = (beat.sink == Sink.W13) | ((beat.sink == Sink.QKV) & (turn > 1))
        its_phase = Mux((beat.row + self.place)[0], turn, 0)
        phase = Signal.like(drain.phase)
        m.d.sync += phase.eq(Mux(phase == 2 * turn - 1, 0, phase + 1))
        until = Mux(phase <= its_phase, its_phase - phase, its_phase + 2 * turn - phase)
        results = Mux(beat.sink == Sink.VALUE, lanes, beat.count)
        m.d.comb += self.limit.eq(Mux(takes_turns, (beat.count + 1) * turn, results))
        with m.If(takes_turns):
            m.d.comb += self.rest.eq((beat.count - 1 - self.place) * turn + until + 1)
        with m.Else():
            m.d.comb += self.rest.eq(results - self.age + 1)

        counts = (drain.phase == phase) & (phase < 2 * turn)
        self.claim("phase_counts", counts, "The phase counts on, whatever comes.")
        in_phase = implies(takes_turns, phase == its_phase)
        self.claim(
            "in_phase",
            implies(drain.o.valid, in_phase),
            "Rows that are multiplied several times leave in their phase.",
        )
        self.claim(
            "waits_for_factors",
            implies(drain.o.valid, self.factors()),
            "A sum leaves only when its factor was there, a logit when there was room.",
        )
        overdue = smooth & (self.age == self.limit)
        self.claim(
            "occupies_no_longer",
            implies(overdue, drain.i.ready),
            "In the last cycle it may occupy the drain, a pass makes room for the next.",
        )

        self.witness("in_turn", drain.o.valid & takes_turns & (self.place == (lanes > 1)))
        self.witness("overdue", overdue & self.works)
