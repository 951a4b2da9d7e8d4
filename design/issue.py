"""Between stages and array: wait until a beat's operands exist, fetch them, line them up."""

from typing import Any, ClassVar

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from design.array import operands_layout
from design.beat import Kind, Sink, beat_layout
from design.operand import operand_layout
from design.pipeline import Pipeline, flow
from design.ports import weights_layout
from spec.config import Config
from spec.derived import derive


class Issue(wiring.Component):
    """A place to wait, and a pipeline of 3 cycles in which a beat meets its operands.

    A beat is accepted only once everything it will read is there or, for weights, on its way;
    so nothing behind the entrance ever waits for a unit, except the last step for the weight
    stream. When that has no beat, or nobody can take a finished pass, `en` falls and the
    whole pipeline, array included, stands still.

    Latency: 1 cycle to the entrance, and from there 3 enabled cycles (`latency`): 1 to `read`
    (`read_latency`), 2 to `fetch` (`fetch_latency`). Throughput: one beat per enabled cycle.

    Members
    -------
    i : In(stream)
        Beats of the stage that runs.
    i_weights : In(stream)
        The weight stream.
    blocked : In(1)
        The array has a finished pass that `PassBuffer` cannot take.
    en : Out(1)
        Clock enable of everything between `i` and the accumulators.
    residual_filled, attention_filled, hidden_filled : In
        Elements of each activation vector that are written, or will be when the beat fetches.
    queries_full, keys_ready, scores_ready, values_ready : In(1)
        All queries are written; all keys of the newest row; all scores; all values of that row (or
        they will be when the beat fetches).
    words_ready : In(1)
        The cache has the word that the next beat of the attention reads.
    claims : Out(flow(beat_layout))
        That beat enters. It will `read` one enabled cycle later.
    next_t, next_t_en : Out
        When the enable is high, the score memories read `next_t`: what they show is always that of
        the value beat that waits.
    read : Out(flow(beat_layout))
        Two steps before the end: the caches read for it.
    fetch : Out(flow(beat_layout))
        One step before the end: the query memories read for it.
    next_column, next_folded : Out
        Those of `fetch` in the next cycle: the activation memories read them.
    o : Out(flow(operands_layout))
        At the end, with what was read for it; taken in cycles with `en`.
    residual, attention, hidden, queries, weights, keys, values : In
        What was read (`weights`: softmax weights; `residual`, `hidden`: see `operand_layout`).
    residual_right : In
        What the upper half of the lanes multiplies when the beat is folded.

    Inside (for proofs)
    -------------------
    waits, waiting, enter
        A beat waits for what it reads, which, and it enters now.
    beats : Pipeline
        From the entrance to `o`; the first two are what `read` and `fetch` show while `en`.
    needs_weights
        The beat at the end takes one of the weight stream.
    """

    read_latency = 1
    fetch_latency = 2
    #: What takes longest are softmax weights: distance from the maximum, exp2 table, shift.
    latency = 3
    #: While the first is high, a beat waits for one of the others (a hang is explained by them).
    waits_for: ClassVar = {
        "waits": (
            "waiting.kind", "waiting.sink", "waiting.column", "waiting.newest", "en", "blocked",
            "residual_filled", "attention_filled", "hidden_filled", "queries_full", "keys_ready",
            "words_ready", "scores_ready", "values_ready",
        ),
        "needs_weights": ("en", "blocked"),
    }  # fmt: skip

    def __init__(self, config: Config):
        self.config = config
        shape, n, derived = config.shape, config.numerics, derive(config)
        beat, slots = beat_layout(config), derived.slots
        element = signed(derived.kv_width)
        key_word = data.ArrayLayout(element, derived.k_word)
        value_word = data.ArrayLayout(element, derived.v_word)
        super().__init__(
            {
                "i": In(stream.Signature(beat)),
                "i_weights": In(stream.Signature(weights_layout(config))),
                "blocked": In(1),
                "en": Out(1),
                "residual_filled": In(range(shape.dim + 1)),
                "attention_filled": In(range(shape.q_dim + 1)),
                "hidden_filled": In(range(shape.hidden + 1)),
                "queries_full": In(1),
                "keys_ready": In(1),
                "scores_ready": In(1),
                "values_ready": In(1),
                "words_ready": In(1),
                "claims": Out(flow(beat)),
                "next_t": Out(beat["t"].shape),
                "next_t_en": Out(1),
                "read": Out(flow(beat)),
                "fetch": Out(flow(beat)),
                "next_column": Out(beat["column"].shape),
                "next_folded": Out(1),
                "o": Out(flow(operands_layout(config))),
                "residual": In(operand_layout(n.residual)),
                "residual_right": In(operand_layout(n.residual)),
                "attention": In(signed(n.attention.width)),
                "hidden": In(operand_layout(n.ffn)),
                "queries": In(data.ArrayLayout(signed(n.q.width), slots)),
                "weights": In(data.ArrayLayout(n.weight.f, slots)),
                "keys": In(data.ArrayLayout(key_word, slots)),
                "values": In(data.ArrayLayout(value_word, slots)),
            }
        )
        self.waits = Signal()
        self.waiting = Signal.like(self.i.payload)
        self.enter = Signal()
        self.beats = Pipeline(beat, self.latency, name="beat")
        self.needs_weights = Signal()

    def elaborate(self, platform):
        m = Module()
        waits, waiting, enter = self.waits, self.waiting, self.enter
        beats, needs_weights = self.beats, self.needs_weights
        read_valid, fetch_valid, o_valid = beats.valid
        read_beat, fetch_beat, o_beat = beats.steps
        kinds = (Kind.HEADER, Kind.WEIGHT, Kind.KEY, Kind.VALUE)
        is_kind = {kind: o_beat.kind == kind for kind in kinds}
        m.d.comb += [
            self.i_weights.ready.eq(needs_weights & ~self.blocked),
            self.en.eq(~self.blocked & ~(needs_weights & ~self.i_weights.valid)),
        ]

        # The beat that waits for what it reads.
        takes = self.i.valid & self.i.ready
        m.d.comb += [
            enter.eq(waits & self.en & self._operands_exist(waiting)),
            self.claims.valid.eq(
                enter & ((waiting.kind == Kind.KEY) | (waiting.kind == Kind.VALUE))
            ),
            self.claims.p.eq(waiting),
            self.i.ready.eq(~waits | enter),
        ]
        # `en` comes late and goes to the enable only, not through the address: while the value beat
        # that waits can enter, the next one's score is read, unless the pipeline stands still.
        stays = Signal()
        m.d.comb += [
            stays.eq(waits & (waiting.kind == Kind.VALUE) & ~self._values_exist(waiting)),
            self.next_t.eq(Mux(stays, waiting.t, self.i.payload.t)),
            self.next_t_en.eq(stays | ~waits | self.en),
        ]
        m.d.sync += waits.eq(takes | (waits & ~enter))
        with m.If(takes):
            m.d.sync += waiting.eq(self.i.payload)

        # `en` is the clock enable of thousands of registers: everything it depends on is one.
        of_stream = (Kind.HEADER, Kind.WEIGHT)
        beats.follow(m, enter, waiting, en=self.en)
        fetch_needs = fetch_valid & Cat(fetch_beat.kind == kind for kind in of_stream).any()
        with m.If(self.en):
            m.d.sync += needs_weights.eq(fetch_needs)
        m.d.comb += [
            self.next_column.eq(Mux(self.en, read_beat.column, fetch_beat.column)),
            self.next_folded.eq(Mux(self.en, read_beat.folded, fetch_beat.folded)),
            self.read.valid.eq(read_valid & self.en),
            self.read.p.eq(read_beat),
            self.fetch.valid.eq(fetch_valid & self.en),
            self.fetch.p.eq(fetch_beat),
            self.o.valid.eq(o_valid),
            self.o.p.beat.eq(o_beat),
        ]

        self._operands(m, is_kind)
        return m

    def _operands_exist(self, beat: data.View) -> Value:
        """Whether everything that `beat` reads is written."""
        sink, column = beat.sink, beat.column
        from_residual = (sink == Sink.QKV) | (sink == Sink.W13) | (sink == Sink.CLS)
        by_kind = {
            Kind.HEADER: C(1, 1),
            Kind.WEIGHT: (
                (~from_residual | (self.residual_filled > column))
                & (~beat.folded | (self.residual_filled == self.config.shape.dim))
                & ((sink != Sink.WO) | (self.attention_filled > column))
                & ((sink != Sink.W2) | (self.hidden_filled > column))
            ),
            Kind.KEY: self.words_ready & self.queries_full & (self.keys_ready | ~beat.newest),
            Kind.VALUE: self._values_exist(beat),
        }
        exists: Value = C(0, 1)
        for kind, condition in by_kind.items():
            exists = exists | ((beat.kind == kind) & condition)
        return exists

    def _values_exist(self, beat: data.View) -> Value:
        return self.words_ready & self.scores_ready & (self.values_ready | ~beat.newest)

    def _operands(self, m: Module, is_kind: dict[Any, Value]) -> None:
        derived = derive(self.config)
        beat, out = self.beats.steps[-1], self.o.p
        # One for the lower half of the slots, one for the upper: they differ in a folded pass.
        halves = [Signal(signed(derived.b_width), name=f"broadcast_{side}") for side in (0, 1)]
        exponents = [Signal(range(derived.b_exponents), name=f"exponent_{side}") for side in (0, 1)]
        sides = (self.residual, self.residual_right)
        with m.Switch(beat.sink):
            with m.Case(Sink.EMBED):
                m.d.comb += [half.eq(derived.one) for half in halves]
            with m.Case(Sink.WO):
                m.d.comb += [half.eq(self.attention) for half in halves]
            with m.Case(Sink.W2):
                m.d.comb += [half.eq(self.hidden.mantissa) for half in halves]
                m.d.comb += [each.eq(self.hidden.exponent) for each in exponents]
            with m.Default():
                for half, exponent, side in zip(halves, exponents, sides, strict=True):
                    m.d.comb += [half.eq(side.mantissa), exponent.eq(side.exponent)]

        for slot in range(derived.slots):
            b = Signal(signed(derived.b_width), name=f"b_{slot}")
            m.d.comb += [b.eq(halves[2 * slot // derived.slots]), out.b[slot].eq(b)]
            with m.If(is_kind[Kind.WEIGHT]):
                m.d.comb += out.exponents[slot].eq(exponents[2 * slot // derived.slots])
            with m.If(is_kind[Kind.HEADER]):
                m.d.comb += b.eq(1)  # shifts pass through the multipliers
            with m.Elif(is_kind[Kind.KEY]):
                m.d.comb += b.eq(self.queries[slot])
            with m.Elif(is_kind[Kind.VALUE]):
                m.d.comb += b.eq(self.weights[slot])

        # Lanes beyond a word get zeros.
        layout = {
            Kind.KEY: (self.keys, derived.k_word),
            Kind.VALUE: (self.values, derived.v_word),
        }
        for lane in range(self.config.geometry.lanes):
            slot, element = divmod(lane, derived.per_slot)
            a = Signal(signed(derived.a_width), name=f"a_{lane}")
            m.d.comb += [a.eq(self.i_weights.payload[lane]), out.a[lane].eq(a)]
            for kind, (words, length) in layout.items():
                with m.If(is_kind[kind]):
                    m.d.comb += a.eq(words[slot][element] if element < length else 0)
