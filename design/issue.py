"""Between stages and array: wait until a beat's operands exist, fetch them, line them up."""

from typing import Any

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from design.beat import Kind, Sink, beat_layout
from design.config import Config
from design.derived import derive
from design.ports import weights_layout

#: Enabled cycles from accepting a beat to its operands: score memory, exp2 table, shift.
ISSUE_LATENCY = 3


class Issue(wiring.Component):
    """A pipeline of 3 cycles in which a beat meets its operands.

    A beat is accepted only once everything it will read is there or, for weights, on its way;
    so nothing behind the entrance ever waits for a unit, except the last step for the weight
    stream. When that has no beat, or the drain cannot take a finished pass, `en` falls and the
    whole pipeline, array included, stands still.

    Latency: 3 enabled cycles. Throughput: one beat per enabled cycle.

    Members
    -------
    i : In(stream)
        Beats of the stage that runs.
    i_weights : In(stream)
        The weight stream.
    blocked : In(1)
        The array has a finished pass that the drain cannot take.
    en : Out(1)
        Clock enable of everything between `i` and the accumulators.
    normed_filled, attention_filled, hidden_filled : In
        Elements of each activation vector that are written.
    queries_full, keys_ready, scores_ready, values_ready : In(1)
        All queries are written; all keys of the newest row; all scores; all values of that row.
    words_ready : In(1)
        The cache has the word that the next beat of the attention reads.
    enter, enter_beat : Out
        A beat is accepted in this cycle: the score memories read `enter_beat.t`.
    fetch, fetch_beat : Out
        One step before the end: activation, query and cache memories read for `fetch_beat`.
    o_valid, o_beat : Out
        At the end: what was read for `o_beat` is there.
    normed, attention, hidden, queries, weights, keys, values : In
        What was read (`weights`: softmax weights).
    a, b : Out
        The operands of every lane and every slot.
    """

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
                "normed_filled": In(range(shape.dim + 1)),
                "attention_filled": In(range(shape.dim + 1)),
                "hidden_filled": In(range(shape.hidden + 1)),
                "queries_full": In(1),
                "keys_ready": In(1),
                "scores_ready": In(1),
                "values_ready": In(1),
                "words_ready": In(1),
                "enter": Out(1),
                "enter_beat": Out(beat),
                "fetch": Out(1),
                "fetch_beat": Out(beat),
                "o_valid": Out(1),
                "o_beat": Out(beat),
                "normed": In(signed(n.normed.width)),
                "attention": In(signed(n.attention.width)),
                "hidden": In(signed(n.ffn.width)),
                "queries": In(data.ArrayLayout(signed(n.q.width), slots)),
                "weights": In(data.ArrayLayout(n.weight.f, slots)),
                "keys": In(data.ArrayLayout(key_word, slots)),
                "values": In(data.ArrayLayout(value_word, slots)),
                "a": Out(data.ArrayLayout(signed(derived.a_width), config.geometry.lanes)),
                "b": Out(data.ArrayLayout(signed(derived.b_width), slots)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        needs_weights = Signal()
        kinds = (Kind.HEADER, Kind.WEIGHT, Kind.KEY, Kind.VALUE)
        is_kind = {kind: self.o_beat.kind == kind for kind in kinds}
        m.d.comb += [
            needs_weights.eq(self.o_valid & (is_kind[Kind.HEADER] | is_kind[Kind.WEIGHT])),
            self.i_weights.ready.eq(needs_weights & ~self.blocked),
            self.en.eq(~self.blocked & ~(needs_weights & ~self.i_weights.valid)),
        ]

        exists = Signal()
        m.d.comb += [
            exists.eq(self._operands_exist()),
            self.i.ready.eq(self.en & exists),
            self.enter.eq(self.i.valid & self.i.ready),
            self.enter_beat.eq(self.i.payload),
        ]
        middle_valid = Signal()
        middle_beat = Signal.like(self.i.payload)
        fetch_valid = Signal()
        with m.If(self.en):
            m.d.sync += [
                middle_valid.eq(self.enter),
                middle_beat.eq(self.i.payload),
                fetch_valid.eq(middle_valid),
                self.fetch_beat.eq(middle_beat),
                self.o_valid.eq(fetch_valid),
                self.o_beat.eq(self.fetch_beat),
            ]
        m.d.comb += self.fetch.eq(fetch_valid & self.en)

        self._operands(m, is_kind)
        return m

    def _operands_exist(self) -> Value:
        """Whether everything the beat at the entrance reads is written."""
        beat = self.i.payload
        sink, column = beat.sink, beat.column
        from_normed = (sink == Sink.QKV) | (sink == Sink.W13) | (sink == Sink.CLS)
        by_kind = {
            Kind.HEADER: C(1, 1),
            Kind.WEIGHT: (
                (~from_normed | (self.normed_filled > column))
                & ((sink != Sink.WO) | (self.attention_filled > column))
                & ((sink != Sink.W2) | (self.hidden_filled > column))
            ),
            Kind.KEY: self.words_ready & self.queries_full & (self.keys_ready | ~beat.newest),
            Kind.VALUE: self.words_ready & self.scores_ready & (self.values_ready | ~beat.newest),
        }
        exists: Value = C(0, 1)
        for kind, condition in by_kind.items():
            exists = exists | ((beat.kind == kind) & condition)
        return exists

    def _operands(self, m: Module, is_kind: dict[Any, Value]) -> None:
        derived = derive(self.config)
        beat = self.o_beat
        broadcast = Signal(signed(derived.b_width))
        with m.Switch(beat.sink):
            with m.Case(Sink.EMBED):
                m.d.comb += broadcast.eq(derived.one)
            with m.Case(Sink.WO):
                m.d.comb += broadcast.eq(self.attention)
            with m.Case(Sink.W2):
                m.d.comb += broadcast.eq(self.hidden)
            with m.Default():
                m.d.comb += broadcast.eq(self.normed)

        for slot in range(derived.slots):
            b = Signal(signed(derived.b_width), name=f"b_{slot}")
            m.d.comb += [b.eq(broadcast), self.b[slot].eq(b)]
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
            m.d.comb += [a.eq(self.i_weights.payload[lane]), self.a[lane].eq(a)]
            for kind, (words, length) in layout.items():
                with m.If(is_kind[kind]):
                    m.d.comb += a.eq(words[slot][element] if element < length else 0)
