"""In the whole decoder, whatever is read was written for this: token, layer and block of heads."""

from typing import Any

from amaranth import *

from design.arith import times_constant
from design.beat import Kind, Sink, is_op
from properties.composition import Parts, Whole
from properties.dialect import implies
from spec.config import Config
from spec.derived import derive
from spec.schedule import Op, matrix

#: Sinks whose sums update the residual, and those whose beats read it.
UPDATES = (Sink.EMBED, Sink.WO, Sink.W2)
READERS = (Sink.QKV, Sink.W13, Sink.CLS)


def _is(sink: Value, sinks: tuple[Any, ...]) -> Value:
    return Cat(sink == each for each in sinks).any()


class _Tag:
    """For whom something was written last: nobody yet in this token, or a `sink` and a `layer` (or
    a block of heads of it)."""

    def __init__(self, m: Module, name: str, like: Any, *, forgets: Value, **fields: Value):
        self.there = Signal(name=f"{name}_there")
        self.fields = {
            field: Signal.like(Value.cast(value), name=f"{name}_{field}")
            for field, value in fields.items()
        }
        with m.If(like):
            m.d.sync += self.there.eq(1)
            m.d.sync += [self.fields[field].eq(value) for field, value in fields.items()]
        with m.If(forgets):
            m.d.sync += self.there.eq(0)

    def matches(self, **fields: Value | Any) -> Value:
        """It was written, and for these."""
        same = (self.fields[name] == Value.cast(each) for name, each in fields.items())
        return self.there & Cat(same).all()


class OperandsWritten(Whole):
    """Whatever a beat or a unit reads was written for this token, this layer, this block of heads,
    and is not yet replaced: queries, scores, maxima, sums of weights, residual, attention, hidden
    vector, and the factors of norms and reciprocals. And a token is answered only behind all of
    its updates of the residual.

    That the elements counted as written are written in time is `ReadWhileItFills`, that a word of
    the cache was is `properties.composition_cache`. `read_valid` says that `Issue` reads the caches
    for a beat, `waiting` is the beat at its entrance, `running` that `Reciprocals` looks at a sum,
    of slot `slot`. Obligations: 18, one less where positions are not counted, two more where the
    shape has biases.
    """

    def __init__(
        self,
        config: Config,
        parts: Parts,
        *,
        read_valid: Value,
        waiting: Any,
        running: Value,
        slot: Value,
    ):
        super().__init__(config, parts)
        self.read_valid = read_valid
        self.waiting = waiting
        self.running = running
        self.slot = slot

    def describe(self, m: Module) -> None:
        self.observe(m)
        self._queries(m)
        self._scores(m)
        self._weight_sums()
        self._residual(m)
        self._vectors(m)
        self._norm(m)
        self._reciprocals(m)
        if self.config.shape.qkv_bias:
            self._biases(m)

    @property
    def _next_token(self) -> Value:
        return self.parts.tokens.next_token

    def _queries(self, m: Module) -> None:
        shape, derived = self.config.shape, derive(self.config)
        queries, issue, layers = self.parts.inner["queries"], self.parts.issue, self.parts.layers
        # Elements of this layer's queries that are written, this cycle's included.
        index = times_constant(queries.wr_head, shape.head_dim) + queries.wr_d
        written, now = (Signal(shape.q_dim, name=f"queries_{name}") for name in ("then", "now"))
        m.d.comb += now.eq(written | Mux(queries.wr_en, 1 << index, 0))
        starts = layers.projection_start & (layers.projection_op == Sink.QKV)
        m.d.sync += written.eq(Mux(starts, 0, now))
        beat = issue.fetch.p
        there = []
        for block in range(derived.head_blocks):
            heads = range(block * derived.slots, min((block + 1) * derived.slots, shape.heads))
            for d in range(shape.head_dim):
                mine = (beat.block == block) & (beat.d == d)
                of_slots = Cat(now[head * shape.head_dim + d] for head in heads)
                there.append(implies(mine, of_slots.all()))
        reads = issue.fetch.valid & (beat.kind == Kind.KEY)
        self.claim(
            "queries",
            implies(reads, Cat(there).all()),
            "A key is multiplied by queries of its layer, in every slot that has a head.",
        )
        self.witness("last_query", reads & (beat.block == derived.head_blocks - 1))

    def _scores(self, m: Module) -> None:
        softmax, issue = self.parts.inner["softmax"], self.parts.issue
        scores = softmax.scores.p
        # The pass whose scores are all stored (those of another make it none).
        whole = _Tag(
            m,
            "scores",
            softmax.scores.valid & scores.last,
            forgets=(softmax.scores.valid & ~scores.last) | self._next_token,
            layer=scores.layer,
            block=scores.block,
        )
        beat = self.waiting
        enters = issue.claims.valid & (beat.kind == Kind.VALUE)
        mine = whole.matches(layer=beat.layer, block=beat.block)
        self.claim(
            "scores",
            implies(enters, mine),
            "A value waits until all scores of its block and layer are stored.",
        )
        made, read = self.read_valid & (issue.read.p.kind == Kind.VALUE), issue.read.p
        kept = whole.matches(layer=read.layer, block=read.block)
        self.claim(
            "maxima",
            implies(made, kept),
            "Their maxima are still those when its weights are made, behind the score memory.",
        )
        if not self.loops:
            seq_len = self.config.shape.seq_len
            stored = Signal(seq_len, name="scores_stored")
            add = Mux(softmax.scores.valid, 1 << scores.t, 0)
            m.d.sync += stored.eq(Mux(softmax.clear, 0, stored | add))
            there = stored.bit_select(beat.t, 1)
            self.claim(
                "score_of_the_position",
                implies(enters, there),
                "So is that of its position. (Where positions are not counted: `DrainOrder`.)",
            )
        self.witness("scores_used", enters & (beat.layer != 0))

    def _weight_sums(self) -> None:
        softmax, totals = self.parts.inner["softmax"], self.parts.inner["reciprocals"].totals
        used = self.parts.issue.o.p.beat
        same = (used.layer == totals.layer) & (used.block == totals.block)
        self.claim(
            "weights_of_one_block",
            implies(softmax.adds.valid & ~softmax.adds.p.first, same),
            "A sum of weights is of one block in one layer.",
        )
        more = self.running & (self.slot != derive(self.config).slots - 1)
        self.claim(
            "weight_sums_stay",
            ~(more & softmax.adds.valid),
            "It stays while its reciprocals are looked for, slot by slot.",
        )

    def _biases(self, m: Module) -> None:
        biases, result = self.parts.inner["biases"], self.parts.inner["writeback"].o.p
        rows = matrix(self.config, Op.BIAS).rows
        last = Signal(range(rows), init=rows - 1, name="bias_last")
        written = _Tag(
            m, "bias", biases.wr_en, forgets=self._next_token, layer=result.layer
        )  # fmt: skip
        uses = self.parts.inner["writeback"].o.valid & (result.sink == Sink.QKV)
        used = Signal(name="bias_used")
        m.d.sync += used.eq(uses)
        with m.If(biases.wr_en):
            m.d.sync += last.eq(biases.wr_row)
        whole = last == rows - 1
        row = Mux(whole, 0, last + 1)
        of_one = whole | written.matches(layer=result.layer)
        in_turn = (biases.wr_row == row) & of_one & ~used
        self.claim(
            "biases_in_turn",
            implies(biases.wr_en, in_turn),
            "The biases of a layer are written in order, when no row waits for those of another.",
        )
        mine = written.matches(layer=result.layer) & whole
        self.claim(
            "bias",
            implies(uses, mine),
            "When the product of a row is asked for, a cycle before its bias is read, all "
            "biases of its layer are written.",
        )
        self.witness("bias_used", uses & (result.layer != 0))

    def _residual(self, m: Module) -> None:
        shape = self.config.shape
        writeback, x, issue = self.parts.inner["writeback"], self.parts.units["x"], self.parts.issue
        result = writeback.o.p
        # Updates of the residual in turn: of which the next element is, and the element.
        updates = Cat(is_op(op, result) for op in (Op.EMBED, Op.WO, Op.W2)).any()
        takes = writeback.o.valid & updates
        row = Signal(range(shape.dim), name="residual_row")
        before = _Tag(
            m, "update", takes, forgets=self._next_token, sink=result.sink, layer=result.layer
        )
        with m.If(takes):
            m.d.sync += row.eq(Mux(row == shape.dim - 1, 0, row + 1))
        first = self._follows(result.sink, result.layer, before)
        same = before.matches(sink=result.sink, layer=result.layer)
        of_update = Mux(row == 0, first, same)
        self.claim(
            "residual_in_turn",
            implies(takes, (result.row == row) & of_update),
            "Each update writes all elements in order; Wo is added behind the embedding or "
            "W2, W2 behind Wo, of this token, so that every element that is added to was "
            "written.",
        )

        comes = self.parts.inner["drain"].o.p
        vector = _Tag(
            m,
            "x",
            x.coming & (x.filled == 0),
            forgets=self._next_token,
            sink=comes.sink,
            layer=comes.layer,
        )
        more = x.coming & (x.filled != 0)
        self.claim(
            "x_of_one_update",
            implies(more, vector.matches(sink=comes.sink, layer=comes.layer)),
            "Of the vector that beats read: whose update its elements are.",
        )
        beat = issue.fetch.p
        self.claim(
            "x",
            implies(x.fetch, self._reads(beat.sink, beat.layer, vector)),
            "A beat of QKV, W13 or the classifier reads the residual that it is to multiply.",
        )
        self.witness("x_read", x.fetch & (beat.sink == Sink.CLS))

    def _follows(self, sink: Value, layer: Value, before: _Tag) -> Value:
        """The update of `sink` and `layer` is the one behind `before`."""
        embeds, wo, w2 = (sink == each for each in UPDATES)
        last = before.fields["layer"]
        behind_embedding = before.matches(sink=Sink.EMBED) & (layer == 0)
        behind_layer = before.matches(sink=Sink.W2) & (layer == last + 1)
        return (
            (embeds & ~before.there)
            | (wo & (behind_embedding | behind_layer))
            | (w2 & before.matches(sink=Sink.WO, layer=layer))
        )

    def _reads(self, sink: Value, layer: Value, written: _Tag) -> Value:
        """`written` is the residual that rows of `sink` in `layer` multiply."""
        behind_embedding = written.matches(sink=Sink.EMBED) & (layer == 0)
        behind_layer = written.matches(sink=Sink.W2) & (layer == written.fields["layer"] + 1)
        qkv, w13, cls = (sink == each for each in READERS)
        last = self.config.shape.layers - 1
        return (
            (qkv & (behind_embedding | behind_layer))
            | (w13 & written.matches(sink=Sink.WO, layer=layer))
            | (cls & written.matches(sink=Sink.W2, layer=last))
        )

    def _vectors(self, m: Module) -> None:
        issue, units = self.parts.issue, self.parts.units
        writeback = self.parts.inner["writeback"]
        beat = issue.fetch.p
        attention = _Tag(
            m,
            "attention",
            units["attention"].coming & (units["attention"].filled == 0),
            forgets=self._next_token,
            layer=writeback.o.p.layer,
        )
        more = units["attention"].coming & (units["attention"].filled != 0)
        of_one = implies(more, attention.matches(layer=writeback.o.p.layer))
        read = implies(units["attention"].fetch, attention.matches(layer=beat.layer))
        self.claims(
            "The attention vector is of one layer; Wo reads that of its own.",
            attention_of_one_layer=of_one,
            attention=read,
        )

        gate = writeback.scaled.valid & (writeback.scaled.p.sink == Sink.W13)
        gates = _Tag(
            m,
            "hidden",
            gate & (writeback.scaled.p.row == 0),
            forgets=self._next_token,
            layer=writeback.scaled.p.layer,
        )
        of_gates = gates.matches(layer=writeback.scaled.p.layer)
        others = gate & (writeback.scaled.p.row != 0)
        self.claim(
            "hidden_of_one_layer",
            implies(others, of_gates),
            "The hidden vector is that of the gates that came last.",
        )
        read = implies(units["hidden"].fetch, gates.matches(layer=beat.layer))
        self.claim("hidden", read, "W2 reads the one of its own layer.")
        self.witness("hidden_read", units["hidden"].fetch & (beat.layer != 0))

    def _norm(self, m: Module) -> None:
        norm, writeback = self.parts.inner["rmsnorm"], self.parts.inner["writeback"]
        found = _Tag(
            m, "norm", norm.start, forgets=self._next_token, sink=norm.source, layer=norm.layer
        )
        started = Signal()
        m.d.sync += started.eq(norm.start)
        last = found.matches(sink=Sink.W2, layer=self.config.shape.layers - 1)
        self.claim(
            "answer",
            implies(self.parts.tokens.o_token.valid, last),
            "The answer comes behind the norm of the last residual, when no unit works any more.",
        )
        raw, half = writeback.i.p, writeback.o.p
        uses_exponent = writeback.i.valid & _is(raw.sink, READERS)
        ready = self._reads(raw.sink, raw.layer, found) & ~started & ~norm.start
        uses_factor = writeback.o.valid & _is(half.sink, READERS)
        self.claims(
            "A sum leaves the drain with the exponent of its residual, and finds its factor.",
            exponent=implies(uses_exponent, ready),
            factor=implies(uses_factor, self._reads(half.sink, half.layer, found) & ~norm.start),
        )

    def _reciprocals(self, m: Module) -> None:
        derived = derive(self.config)
        unit, writeback = self.parts.inner["reciprocals"], self.parts.inner["writeback"]
        totals = unit.totals
        # Cycles since the first sum was taken, until all are found.
        most = derived.slots + unit.latency + 1
        age = Signal(range(most + 1))
        with m.If(totals.complete):
            m.d.sync += age.eq(1)
        with m.Elif((age != 0) & (age != most)):
            m.d.sync += age.eq(age + 1)
        found = _Tag(
            m,
            "reciprocals",
            totals.complete,
            forgets=self._next_token,
            layer=totals.layer,
            block=totals.block,
        )
        raw, half = writeback.i.p, writeback.o.p
        uses_shift = writeback.i.valid & (raw.sink == Sink.VALUE)
        mine = found.matches(layer=raw.layer, block=raw.block) & (
            age >= raw.slot + unit.shift_latency
        )
        self.claim(
            "value_shift",
            implies(uses_shift, mine),
            "A sum of values is shifted for the weights of its block and slot, ...",
        )
        uses_factor = writeback.o.valid & (half.sink == Sink.VALUE)
        mine = (
            found.matches(layer=half.layer) & (age >= half.slot + unit.latency) & ~totals.complete
        )
        self.claim(
            "value_factor",
            implies(uses_factor, mine),
            "... and multiplied by their reciprocal, which is found by then.",
        )
        self.witness("value_scaled", uses_factor & (half.slot == derived.slots - 1))
