"""The decoder: stages, array, units and memories, connected."""

from typing import Any

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from design.activations import ActivationBuffer
from design.argmax import Argmax
from design.array import MultiplierArray
from design.beat import Kind, Sink
from design.cache import CacheLayers
from design.drain import Drain
from design.external_cache import ExternalCache
from design.issue import Issue
from design.memories import Ram
from design.operand import operand_layout
from design.pass_buffer import PassBuffer
from design.ports import DecoderSignature
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

#: The cache by its backing.
CACHES: dict[CacheBacking, Any] = {
    CacheBacking.ON_CHIP: CacheLayers,
    CacheBacking.EXTERNAL: ExternalCache,
}


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
    parts : dict
        All of these, by name. What they declare makes the decoder's trace, its fault, its memories
        and the clients of its scalar multipliers.
    scalars, clients : lists
        The scalar multipliers, and those who share each: (unit, its port).
    """

    def __init__(self, config: Config):
        self.config = config
        shape, n = config.shape, config.numerics
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
        self.cache = CACHES[config.geometry.cache](config)
        self.x = ActivationBuffer(
            depth=shape.dim, shape=operand_layout(n.residual), foldable=derive(config).slots > 1
        )
        self.attention = ActivationBuffer(depth=shape.q_dim, shape=signed(n.attention.width))
        self.hidden = ActivationBuffer(depth=shape.hidden, shape=operand_layout(n.ffn))
        self.parts: dict[str, Any] = {
            name: part for name, part in vars(self).items() if isinstance(part, wiring.Component)
        }
        count = derive(config).scalar_multipliers
        self.clients: list[list[tuple[Any, int]]] = [[] for _ in range(count)]
        for part in self.with_port("requests").values():
            ports = range(len(part.requests))
            for port, multiplier in zip(ports, part.multipliers, strict=True):
                self.clients[multiplier % count].append((part, port))
        self.scalars = [ScalarMultiplier(len(sharing)) for sharing in self.clients]
        traced = self.with_port("trace").values()
        self._records = [record for part in traced for record in part.trace]
        super().__init__(DecoderSignature(config, records=len(self._records)))

    def with_port(self, name: str) -> dict[str, Any]:
        """The parts that have such a port."""
        return {part: each for part, each in self.parts.items() if name in each.signature.members}

    @property
    def rams(self) -> list[Ram]:
        """The memories of all parts."""
        return [
            ram.below(name)
            for name, part in self.parts.items()
            for ram in getattr(part, "rams", ())
        ]

    def elaborate(self, platform):
        m = Module()
        for name, part in self.parts.items():
            m.submodules[name] = part
        self._connect_host(m)
        self._connect_stages(m)
        self._connect_operands(m)
        self._connect_sums_of_weights(m)
        self._connect_results(m)
        self._connect_memories(m)
        self._share_multipliers(m)
        self._observe(m)
        return m

    def _connect_host(self, m: Module) -> None:
        tokens, cache = self.token_sequencer, self.cache
        connect(m, flipped(self.i_token), tokens.i_token)
        connect(m, tokens.o_token, flipped(self.o_token))
        connect(m, tokens.o_fetch, flipped(self.o_fetch))
        connect(m, flipped(self.i_weights), self.issue.i_weights)
        connect(m, self.argmax.o_logits, flipped(self.o_logits))
        connect(m, cache.o_kv_read, flipped(self.o_kv_read))
        connect(m, flipped(self.i_kv_words), cache.i_kv_words)
        connect(m, cache.o_kv_write, flipped(self.o_kv_write))
        m.d.comb += cache.i_kv_written.eq(self.i_kv_written)

    def _connect_stages(self, m: Module) -> None:
        """What runs when; only one of the stages runs at a time."""
        tokens, layers, issue = self.token_sequencer, self.layer_sequencer, self.issue
        projection, score, value = self.projection, self.score, self.value
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
            tokens.normed.eq(self.rmsnorm.done & self.rmsnorm.final),
            tokens.classified.eq(self.argmax.done),
            tokens.best.eq(self.argmax.best),
        ]
        if self.config.shape.qkv_bias:
            m.d.comb += projection.bias.eq(layers.projection_bias)
        with m.If(tokens.embed_start):
            m.d.comb += projection.op.eq(Sink.EMBED)
        with m.If(tokens.classify_start):
            m.d.comb += projection.op.eq(Sink.CLS)

        for stage in (projection, score, value):
            with m.If(stage.o.valid):
                m.d.comb += [issue.i.valid.eq(1), issue.i.p.eq(stage.o.p)]
            m.d.comb += stage.o.ready.eq(issue.i.ready)
        m.d.comb += issue.i.p.layer.eq(tokens.layer)

        # A stage that starts forgets what its results will replace.
        # Asked of the sequencers, not of the stage, where both meet: all of this comes late.
        def starts(*sinks: Any) -> Value:
            return layers.projection_start & any_of(layers.projection_op, sinks)

        starts_qkv, starts_hidden = starts(Sink.QKV), starts(Sink.W13)
        starts_residual = tokens.embed_start | starts(Sink.WO, Sink.W2)
        starts_attention = layers.score_start & (layers.block == 0)
        m.d.comb += [
            self.rope.clear.eq(starts_qkv),
            self.queries.clear.eq(starts_qkv),
            self.cache.row_start.eq(starts_qkv),
            self.cache.row_layer.eq(tokens.layer),
            self.cache.row_pos.eq(tokens.pos),
            self.hidden.clear.eq(starts_hidden),
            self.attention.clear.eq(starts_attention),
            self.rope.next_token.eq(tokens.next_token),
            self.rope.first_token.eq(tokens.first_token),
        ]

        # The last beat of the stage before may still be waiting in `Issue` for these two.
        late_clears = ((self.x.clear, starts_residual), (self.softmax.clear, layers.score_start))
        for clear, starts in late_clears:
            late = Signal()
            m.d.comb += clear.eq((starts | late) & issue.i.ready)
            m.d.sync += late.eq((starts | late) & ~issue.i.ready)

    @property
    def word_reads(self) -> stream.Interface:
        """The beats for which the cache reads."""
        return self.issue.claims if self.cache.early else self.issue.read

    @property
    def row_elements(self) -> Any:
        """What comes out of RoPE, as the cache takes it."""
        return self.rope.next if self.cache.early else self.rope.o

    def _connect_operands(self, m: Module) -> None:
        """What a beat reads, and whether it is there."""
        issue, softmax, queries, cache = self.issue, self.softmax, self.queries, self.cache
        x, attention, hidden = self.x, self.attention, self.hidden
        reads, read, fetched = self.word_reads.valid, self.word_reads.p, issue.fetch.p
        # All operands of a beat are there at once.
        read_latency = cache.latency + (0 if cache.early else issue.read_latency)
        assert issue.latency == read_latency, "words of the cache"
        assert issue.latency == softmax.latency, "softmax weights"
        assert issue.latency == issue.fetch_latency + queries.latency, "queries"
        m.d.comb += [
            issue.blocked.eq(self.array.o.valid & ~self.array.o.ready),
            # What comes of the residual first is turned: until the angles are there, it waits.
            issue.residual_filled.eq(Mux(self.rope.ready, x.filled, 0)),
            issue.attention_filled.eq(attention.filled),
            issue.hidden_filled.eq(hidden.filled),
            issue.queries_full.eq(queries.full),
            issue.keys_ready.eq(self.rope.keys_coming),
            issue.values_ready.eq(self.rope.values_coming),
            # An external cache has words of the newest row only once they are stored.
            issue.words_ready.eq(cache.rd_ready),
            issue.scores_ready.eq(softmax.ready),
            softmax.en.eq(issue.en),
            softmax.rd_en.eq(issue.next_t_en),
            softmax.rd_t.eq(issue.next_t),
            queries.rd_en.eq(issue.fetch.valid),
            queries.rd_block.eq(fetched.block),
            queries.rd_d.eq(fetched.d),
            cache.rd_claim.eq(issue.claims.valid),
            cache.rd_start_k.eq(reads & (read.kind == Kind.KEY)),
            cache.rd_start_v.eq(reads & (read.kind == Kind.VALUE)),
            cache.rd_layer.eq(read.layer),
            cache.rd_block.eq(read.block),
            cache.rd_t.eq(read.t),
            cache.rd_d.eq(read.d),
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
                vector.fetch.eq(issue.fetch.valid & reads),
                vector.rd_en.eq(issue.en),
            ]
        m.d.comb += x.next_folded.eq(issue.next_folded)

    def _connect_sums_of_weights(self, m: Module) -> None:
        """The weights are summed in the first of the value passes."""
        used, softmax = self.issue.o, self.softmax
        is_first_word = (used.p.beat.kind == Kind.VALUE) & (used.p.beat.d == 0)
        m.d.comb += [
            softmax.adds.valid.eq(self.issue.en & used.valid & is_first_word),
            softmax.adds.p.eq(used.p.beat),
        ]
        connect(m, softmax.totals, self.reciprocals.totals)

    def _connect_results(self, m: Module) -> None:
        """The way of beats through the array, and of their sums to the units."""
        array, drain, writeback = self.array, self.drain, self.writeback
        residual, rmsnorm, reciprocals = self.residual, self.rmsnorm, self.reciprocals
        # The old element of the residual is there when what is added to it is.
        assert residual.lead_time == writeback.lead_time
        m.d.comb += array.en.eq(self.issue.en)
        connect(m, self.issue.o, array.i)
        connect(m, array.o, self.buffer.i)
        connect(m, self.buffer.o, drain.i)
        connect(m, drain.scores, self.softmax.scores)
        connect(m, drain.o, writeback.i)
        connect(m, writeback.coming, residual.coming)
        connect(m, writeback.o, residual.i)
        for unit in (self.rope, self.swiglu, self.argmax):
            connect(m, writeback.scaled, unit.i)
        m.d.comb += [
            drain.norm_ready.eq(rmsnorm.ready),
            drain.reciprocals_ready.eq(reciprocals.ready),
            drain.logits_ready.eq(self.argmax.ready),
            writeback.norm_exponent.eq(rmsnorm.exponent),
            writeback.norm_factor.eq(rmsnorm.factor),
            writeback.value_shifts.eq(reciprocals.shifts),
            writeback.value_factors.eq(reciprocals.factors),
            self.swiglu.phase.eq(drain.phase),
            rmsnorm.clear.eq(self.x.coming),
            rmsnorm.start.eq(residual.complete),
            rmsnorm.square_sum.eq(residual.square_sum),
            rmsnorm.source.eq(residual.source),
            rmsnorm.layer.eq(residual.layer),
        ]

    def _connect_memories(self, m: Module) -> None:
        """The way of the units' results into what the next beats read."""
        drain, writeback, residual, swiglu = self.drain, self.writeback, self.residual, self.swiglu
        turned, row = self.rope.o, self.row_elements
        scaled_value = writeback.scaled.valid & (writeback.scaled.p.sink == Sink.VALUE)
        m.d.comb += [
            self.x.coming.eq(
                _announced(
                    m,
                    drain.o.valid & for_residual(drain.o.p),
                    ahead=writeback.latency + residual.latency,
                )
            ),
            self.x.wr_en.eq(residual.o.valid),
            self.x.wr_data.eq(residual.o.p),
            self.queries.wr_en.eq(turned.q),
            self.queries.wr_head.eq(turned.head),
            self.queries.wr_d.eq(turned.d),
            self.queries.wr_data.eq(turned.value),
            self.cache.wr_en_k.eq(row.k),
            self.cache.wr_en_v.eq(row.v),
            self.cache.wr_layer.eq(row.layer),
            self.cache.wr_head_kv.eq(row.head),
            self.cache.wr_pos.eq(self.token_sequencer.pos),
            self.cache.wr_d.eq(row.d),
            self.cache.wr_data.eq(row.value),
            self.attention.coming.eq(
                _announced(
                    m,
                    writeback.o.valid & (writeback.o.p.sink == Sink.VALUE),
                    ahead=writeback.scaled_latency - writeback.latency,
                )
            ),
            self.attention.wr_en.eq(scaled_value),
            self.attention.wr_data.eq(writeback.scaled.p.value),
            self.hidden.coming.eq(_announced(m, swiglu.coming, ahead=swiglu.lead_time)),
            self.hidden.wr_en.eq(swiglu.o.valid),
            self.hidden.wr_data.eq(swiglu.o.p),
        ]

    def _share_multipliers(self, m: Module) -> None:
        for number, (scalar, sharing) in enumerate(zip(self.scalars, self.clients, strict=True)):
            m.submodules[f"scalar_{number}"] = scalar
            for request, (client, port) in zip(scalar.requests, sharing, strict=True):
                m.d.comb += [
                    request.eq(client.requests[port]),
                    client.products[port].eq(scalar.product),
                ]

    def _observe(self, m: Module) -> None:
        units = (*self.with_port("fault").values(), *self.scalars)
        faults = [unit.fault for unit in units]
        with m.If(self.token_sequencer.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(Cat(faults).any()):
            m.d.sync += self.fault.eq(1)
        m.d.sync += self.macs.eq(self.macs + self.array.macs)
        m.d.comb += [
            port.eq(record) for port, record in zip(self.trace, self._records, strict=True)
        ]
