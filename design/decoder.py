"""The decoder: stages, array, units and memories, connected."""

import itertools
from typing import Any

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from design.activations import ActivationBuffer
from design.argmax import Argmax
from design.array import MultiplierArray
from design.beat import Kind, Sink
from design.cache import CacheLayers
from design.drain import Drain
from design.external_cache import ExternalCache
from design.issue import Issue
from design.operand import operand_layout
from design.pass_buffer import PassBuffer
from design.ports import SERIAL_CHANNELS, DecoderSignature
from design.queries import QueryBuffer
from design.reciprocals import Reciprocals
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.rope import Rope
from design.scalar import ScalarMultiplier
from design.sequencer import LayerSequencer, TokenSequencer
from design.softmax import Softmax
from design.stages.projection import ProjectionStage
from design.stages.score import ScoreStage
from design.stages.value import ValueStage
from design.swiglu import SwiGlu
from design.writeback import NORMED, Writeback, any_of, for_residual
from spec.config import CacheBacking, Config
from spec.derived import derive


def multipliers(config: Config) -> int:
    """Every multiplier a decoder instantiates: the array's and the scalar ones."""
    return config.geometry.lanes + derive(config).scalar_multipliers


def _announced(m: Module, comes: Value, *, ahead: int) -> Value:
    """What comes in so many cycles, for the `coming` of a buffer: not before its lead time."""
    for cycle in range(ahead - ActivationBuffer.lead_time):
        later = Signal(name=f"announced_{cycle}")
        m.d.sync += later.eq(comes)
        comes = later
    return comes


class Decoder(wiring.Component):
    """A Llama-2-architecture decoder; ports in `ports.DecoderSignature`.

    Beats flow from a stage through `Issue` and the array into the drain; from there `Writeback`
    hands every element to the unit that wants it, and the units fill the memories from which
    the next beats read. Everything runs in order, so the only hazard is reading what is not
    written yet, and `Issue` waits for exactly that.

    Inside (for proofs)
    -------------------
    token_sequencer, layer_sequencer, projection, score, value
        What runs when, and the stages.
    issue, array, buffer, drain, writeback
        The way of beats and of their sums.
    residual, rmsnorm, rope, softmax, reciprocals, swiglu, argmax
        The units that results go to.
    queries, cache, x, attention, hidden
        What beats read.
    scalars, clients : lists
        The scalar multipliers, and those who share each: (unit, its port).
    """

    def __init__(self, config: Config):
        self.config = config
        shape, n = config.shape, config.numerics
        super().__init__(DecoderSignature(config))
        self.token_sequencer = TokenSequencer(config)
        self.layer_sequencer = LayerSequencer(config)
        self.projection = ProjectionStage(config)
        self.score = ScoreStage(config)
        self.value = ValueStage(config)
        self.issue = Issue(config)
        self.array = MultiplierArray(config)
        self.buffer = PassBuffer(config)
        self.drain = Drain(config)
        self.writeback = Writeback(config)
        self.residual = Residual(config)
        self.rmsnorm = RmsNorm(config)
        self.rope = Rope(config)
        self.softmax = Softmax(config)
        self.reciprocals = Reciprocals(config)
        self.swiglu = SwiGlu(config)
        self.argmax = Argmax(config)
        self.queries = QueryBuffer(config)
        self.cache: CacheLayers | ExternalCache
        if config.geometry.cache is CacheBacking.ON_CHIP:
            self.cache = CacheLayers(config)
        else:
            self.cache = ExternalCache(config)
        self.x = ActivationBuffer(
            depth=shape.dim, shape=operand_layout(n.residual), foldable=derive(config).slots > 1
        )
        self.attention = ActivationBuffer(depth=shape.q_dim, shape=signed(n.attention.width))
        self.hidden = ActivationBuffer(depth=shape.hidden, shape=operand_layout(n.ffn))
        self.clients: list[list[tuple[Any, int]]] = [
            [(self.writeback, 0), (self.residual, 0)],
            [(self.rmsnorm, 0), (self.reciprocals, 0), (self.rope, 0), (self.swiglu, 0)],
            [(self.rope, 1), (self.swiglu, 1)],
        ]
        if derive(config).scalar_multipliers == 1:
            self.clients = [list(itertools.chain(*self.clients))]
        self.scalars = [ScalarMultiplier(len(sharing)) for sharing in self.clients]

    def elaborate(self, platform):
        m = Module()
        config = self.config
        shape = config.shape

        m.submodules.token_sequencer = tokens = self.token_sequencer
        m.submodules.layer_sequencer = layers = self.layer_sequencer
        m.submodules.projection = projection = self.projection
        m.submodules.score = score = self.score
        m.submodules.value = value = self.value
        m.submodules.issue = issue = self.issue
        m.submodules.array = array = self.array
        m.submodules.buffer = buffer = self.buffer
        m.submodules.drain = drain = self.drain
        m.submodules.writeback = writeback = self.writeback
        m.submodules.residual = residual = self.residual
        m.submodules.rmsnorm = rmsnorm = self.rmsnorm
        m.submodules.rope = rope = self.rope
        m.submodules.softmax = softmax = self.softmax
        m.submodules.reciprocals = reciprocals = self.reciprocals
        m.submodules.swiglu = swiglu = self.swiglu
        m.submodules.argmax = argmax = self.argmax
        m.submodules.queries = queries = self.queries
        m.submodules.cache = cache = self.cache
        m.submodules.x = x = self.x
        m.submodules.attention = attention = self.attention
        m.submodules.hidden = hidden = self.hidden

        # Host side.
        connect(m, flipped(self.i_token), tokens.i_token)
        connect(m, tokens.o_token, flipped(self.o_token))
        connect(m, tokens.o_fetch, flipped(self.o_fetch))
        connect(m, flipped(self.i_weights), issue.i_weights)
        connect(m, argmax.o_logits, flipped(self.o_logits))
        connect(m, cache.o_kv_read, flipped(self.o_kv_read))
        connect(m, flipped(self.i_kv_words), cache.i_kv_words)
        connect(m, cache.o_kv_write, flipped(self.o_kv_write))
        m.d.comb += cache.i_kv_written.eq(self.i_kv_written)

        # Sequencing. Only one of the stages runs at a time.
        m.d.comb += [
            layers.start.eq(tokens.layer_start),
            tokens.layer_done.eq(layers.done),
            projection.start.eq(
                layers.projection_start | tokens.embed_start | tokens.classify_start
            ),
            projection.op.eq(layers.projection_op),
            tokens.projection_done.eq(projection.done),
            layers.projection_done.eq(projection.done),
            score.start.eq(layers.score_start),
            score.pos.eq(tokens.pos),
            score.block.eq(layers.block),
            layers.score_done.eq(score.done),
            value.start.eq(layers.value_start),
            value.pos.eq(tokens.pos),
            value.block.eq(layers.block),
            layers.value_done.eq(value.done),
            tokens.normed.eq(rmsnorm.done & rmsnorm.final),
            tokens.classified.eq(argmax.done),
            tokens.best.eq(argmax.best),
        ]
        if shape.qkv_bias:
            m.d.comb += projection.bias.eq(layers.projection_bias)
        with m.If(tokens.embed_start):
            m.d.comb += projection.op.eq(Sink.EMBED)
        with m.If(tokens.classify_start):
            m.d.comb += projection.op.eq(Sink.CLS)

        # Beats: from the stage that runs into the pipeline.
        for stage in (projection, score, value):
            with m.If(stage.o.valid):
                m.d.comb += [issue.i.valid.eq(1), issue.i.payload.eq(stage.o.payload)]
            m.d.comb += stage.o.ready.eq(issue.i.ready)
        m.d.comb += issue.i.payload.layer.eq(tokens.layer)

        # A stage that starts forgets what its results will replace.
        # Asked of the sequencers, not of the stage, where both meet: all of this comes late.
        def starts(*sinks: Any) -> Value:
            return layers.projection_start & any_of(layers.projection_op, sinks)

        starts_qkv, starts_hidden = starts(Sink.QKV), starts(Sink.W13)
        starts_residual = tokens.embed_start | starts(Sink.WO, Sink.W2)
        starts_attention = layers.score_start & (layers.block == 0)
        m.d.comb += [
            rope.clear.eq(starts_qkv),
            queries.clear.eq(starts_qkv),
            cache.row_start.eq(starts_qkv),
            cache.row_layer.eq(tokens.layer),
            cache.row_pos.eq(tokens.pos),
            hidden.clear.eq(starts_hidden),
            attention.clear.eq(starts_attention),
            writeback.clear_index.eq(starts_attention),
            rope.next_token.eq(tokens.next_token),
            rope.first_token.eq(tokens.first_token),
        ]

        # The last beat of the stage before may still be waiting in `Issue` for these two.
        for clear, starts in ((x.clear, starts_residual), (softmax.clear, layers.score_start)):
            late = Signal()
            m.d.comb += clear.eq((starts | late) & issue.i.ready)
            m.d.sync += late.eq((starts | late) & ~issue.i.ready)

        # Operands: what a beat reads, and whether it is there.
        fetched = issue.fetch_beat
        # On the chip the layers of the cache lie far from here, and each other: they have registers
        # of their own beside those of `issue.read_beat` and `rope.o`.
        if isinstance(cache, CacheLayers):
            reads, word, row = issue.claims, issue.claims_beat, rope.next
            read_in = cache.latency
        else:
            reads, word, row = issue.read, issue.read_beat, rope.o
            read_in = issue.read_latency + cache.latency
        # All operands of a beat are there at once.
        assert issue.latency == read_in, "words of the cache"
        assert issue.latency == softmax.latency, "softmax weights"
        assert issue.latency == issue.fetch_latency + queries.latency, "queries"
        # The old element of the residual is there when what is added to it is.
        assert residual.lead_time == writeback.lead_time
        m.d.comb += [
            issue.blocked.eq(array.sums_valid & ~buffer.i_ready),
            # What comes of the residual first is turned: until the angles are there, it waits.
            issue.residual_filled.eq(Mux(rope.ready, x.filled, 0)),
            issue.attention_filled.eq(attention.filled),
            issue.hidden_filled.eq(hidden.filled),
            issue.queries_full.eq(queries.full),
            issue.keys_ready.eq(rope.keys_coming),
            issue.values_ready.eq(rope.values_coming),
            # An external cache has words of the newest row only once they are stored.
            issue.words_ready.eq(cache.rd_ready),
            issue.scores_ready.eq(softmax.ready),
            softmax.en.eq(issue.en),
            softmax.rd_en.eq(issue.next_t_en),
            softmax.rd_t.eq(issue.next_t),
            queries.rd_en.eq(issue.fetch),
            queries.rd_block.eq(fetched.block),
            queries.rd_d.eq(fetched.d),
            cache.rd_claim.eq(issue.claims),
            cache.rd_start_k.eq(reads & (word.kind == Kind.KEY)),
            cache.rd_start_v.eq(reads & (word.kind == Kind.VALUE)),
            cache.rd_layer.eq(word.layer),
            cache.rd_block.eq(word.block),
            cache.rd_t.eq(word.t),
            cache.rd_d.eq(word.d),
            cache.rd_en.eq(issue.en),
            issue.residual.eq(x.rd_data),
            issue.residual_right.eq(x.rd_right),
            issue.attention.eq(attention.rd_data),
            issue.hidden.eq(hidden.rd_data),
            issue.queries.eq(queries.rd_data),
            issue.weights.eq(softmax.weights),
            issue.keys.eq(cache.rd_k),
            issue.values.eq(cache.rd_v),
        ]
        for vector, sinks in ((x, NORMED), (attention, (Sink.WO,)), (hidden, (Sink.W2,))):
            reads = (fetched.kind == Kind.WEIGHT) & any_of(fetched.sink, sinks)
            m.d.comb += [
                vector.next_index.eq(issue.next_column),
                vector.fetch.eq(issue.fetch & reads),
                vector.rd_en.eq(issue.en),
            ]
        m.d.comb += x.next_folded.eq(issue.next_folded)

        # The sum of weights is gathered in the first of the value passes.
        used = issue.o_beat
        adds_weight = Signal()
        sums_weights_final = Signal()
        m.d.comb += [
            adds_weight.eq(issue.en & issue.o_valid & (used.kind == Kind.VALUE) & (used.d == 0)),
            softmax.add.eq(adds_weight),
            softmax.add_first.eq(used.first),
            reciprocals.clear.eq(adds_weight & used.first),
            softmax.trace_block.eq(used.block),
            softmax.trace_t.eq(used.t),
            softmax.trace_layer.eq(used.layer),
        ]
        m.d.sync += sums_weights_final.eq(adds_weight & used.last)
        with m.If(adds_weight):
            m.d.sync += [
                reciprocals.block.eq(used.block),
                reciprocals.layer.eq(used.layer),
            ]
        m.d.comb += [
            reciprocals.start.eq(sums_weights_final),
            reciprocals.sums.eq(softmax.sums),
            reciprocals.maxima.eq(softmax.maxima),
        ]

        # Array, drain, writeback.
        m.d.comb += [
            array.en.eq(issue.en),
            array.i_valid.eq(issue.o_valid),
            array.i_beat.eq(issue.o_beat),
            array.a.eq(issue.a),
            array.b.eq(issue.b),
            array.b_exponents.eq(issue.b_exponents),
            buffer.i_valid.eq(array.sums_valid),
            array.sums_taken.eq(buffer.i_ready),
            buffer.sums.eq(array.sums),
            buffer.shifts.eq(array.shifts),
            buffer.beat.eq(array.sums_beat),
            drain.i_valid.eq(buffer.o_valid),
            buffer.o_ready.eq(drain.i_ready),
            drain.sums.eq(buffer.o_sums),
            drain.shifts.eq(buffer.o_shifts),
            drain.beat.eq(buffer.o_beat),
            drain.norm_ready.eq(rmsnorm.ready),
            drain.reciprocals_ready.eq(reciprocals.ready),
            drain.logits_ready.eq(argmax.ready),
            softmax.scores.eq(drain.scores),
            softmax.scores_valid.eq(drain.scores_valid),
            writeback.i_valid.eq(drain.o_valid),
            writeback.i.eq(drain.o),
            writeback.norm_exponent.eq(rmsnorm.exponent),
            writeback.norm_factor.eq(rmsnorm.factor),
            writeback.value_shifts.eq(reciprocals.shifts),
            writeback.value_factors.eq(reciprocals.factors),
        ]

        # Results to the units, and from them into the memories.
        m.d.comb += [
            residual.coming.eq(writeback.coming),
            residual.coming_row.eq(writeback.coming_row),
            residual.i_valid.eq(writeback.o_valid),
            residual.i.eq(writeback.o),
        ]
        for unit in (rope, swiglu, argmax):
            m.d.comb += [unit.i_valid.eq(writeback.scaled_valid), unit.i.eq(writeback.scaled)]
        m.d.comb += [
            swiglu.phase.eq(drain.phase),
            rmsnorm.clear.eq(x.coming),
            rmsnorm.start.eq(residual.complete),
            rmsnorm.square_sum.eq(residual.square_sum),
            rmsnorm.source.eq(residual.source),
            rmsnorm.layer.eq(residual.layer),
            x.coming.eq(
                _announced(
                    m,
                    drain.o_valid & for_residual(drain.o),
                    ahead=writeback.latency + residual.latency,
                )
            ),
            x.wr_en.eq(residual.o_valid),
            x.wr_data.eq(residual.o),
            queries.wr_en.eq(rope.o.q),
            queries.wr_head.eq(rope.o.head),
            queries.wr_d.eq(rope.o.d),
            queries.wr_data.eq(rope.o.value),
            cache.wr_en_k.eq(row.k),
            cache.wr_en_v.eq(row.v),
            cache.wr_layer.eq(row.layer),
            cache.wr_head_kv.eq(row.head),
            cache.wr_pos.eq(tokens.pos),
            cache.wr_d.eq(row.d),
            cache.wr_data.eq(row.value),
            attention.coming.eq(
                _announced(
                    m,
                    writeback.o_valid & (writeback.o.sink == Sink.VALUE),
                    ahead=writeback.scaled_latency - writeback.latency,
                )
            ),
            attention.wr_en.eq(writeback.scaled_valid & (writeback.scaled.sink == Sink.VALUE)),
            attention.wr_data.eq(writeback.scaled.value),
            hidden.coming.eq(_announced(m, swiglu.coming, ahead=swiglu.lead_time)),
            hidden.wr_en.eq(swiglu.o_valid),
            hidden.wr_data.eq(swiglu.o),
        ]

        faults = [unit.fault for unit in (rope, cache, swiglu, argmax, x, attention, hidden)]
        for number, (scalar, sharing) in enumerate(zip(self.scalars, self.clients, strict=True)):
            m.submodules[f"scalar_{number}"] = scalar
            for request, (client, port) in zip(scalar.requests, sharing, strict=True):
                m.d.comb += [
                    request.eq(client.requests[port]),
                    client.products[port].eq(scalar.product),
                ]
            faults.append(scalar.fault)

        # Observation.
        with m.If(tokens.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(Cat(faults).any()):
            m.d.sync += self.fault.eq(1)
        m.d.sync += self.macs.eq(self.macs + array.macs)
        records = [
            *writeback.trace,
            residual.trace,
            rope.trace,
            argmax.trace,
            *rmsnorm.trace,
            *swiglu.trace,
            *reciprocals.trace,
            *softmax.trace,
        ]
        assert len(records) == len(self.trace), (len(records), SERIAL_CHANNELS)
        m.d.comb += [port.eq(record) for port, record in zip(self.trace, records, strict=True)]
        return m
