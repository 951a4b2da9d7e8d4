"""The decoder as a whole: whether it ever stands still, whether units keep each other's contracts.

These theorems are for a search of all states (`formal.explore`). What data decide, the end of a
text, is cut out of the decoder and free; that nothing else is decided by data is `leaks.timing`.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.asserts import AnySeq

from design.arith import times_constant
from design.config import CacheBacking, Config
from design.schedule import image
from properties import kv_contract
from properties.dialect import (
    ASSERT_FAIR,
    ASSUME_FAIR,
    CUT,
    HELD,
    HOLDER,
    STAND_IN,
    Theorem,
    implies,
)
from properties.kv_external import KvRow


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Components of a `design.decoder.Decoder`; of units that ask by one port for several products,
    when they ask for each; registers that hold something only while another, of one bit, is high.
    """

    decoder: Any
    tokens: Any
    layers: Any
    stages: Mapping[str, Any]
    # On the chip the owner of each layer, else the one external cache.
    caches: Sequence[Any]
    units: Mapping[str, Any]
    asks: Mapping[str, Sequence[Value]]
    held: Mapping[str, tuple[Value, Value]]


class _Whole(Theorem):
    """What all theorems on the whole decoder share: its cuts, and the token in flight."""

    def __init__(self, config: Config, parts: Parts):
        self.config = config
        self.parts = parts
        self.pending = Signal()
        # Logits taken of this token.
        self.logits = Signal(range(config.shape.vocab))
        # What is on its way to and from an external memory.
        external = config.geometry.cache is CacheBacking.EXTERNAL
        self.row = KvRow(config, parts.caches[0]) if external else None
        is_full = parts.tokens.pos == config.shape.seq_len - 1
        answer, logit = parts.decoder.o_token.payload, parts.decoder.o_logits.payload
        ends: dict[str, Value] = {
            # The answer ends the text when the context is full, or as data will have it.
            f"{CUT}end": answer.end,
            f"{STAND_IN}end": is_full | AnySeq(1),
            # A logit keeps its `last` in the queue, `streams.logits`.
            f"{CUT}last": logit.last,
            f"{STAND_IN}last": self.logits == config.shape.vocab - 1,
        }
        for name, (register, holder) in parts.held.items():
            ends |= {f"{HELD}{name}": Value.cast(register), f"{HOLDER}{name}": holder}
        self._ends = {name: (Signal(len(value), name=name), value) for name, value in ends.items()}

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem."""
        return {name: signal for name, (signal, _) in self._ends.items()}

    def observe(self, m: Module) -> None:
        """Drive the outputs, and the signals above."""
        decoder = self.parts.decoder
        m.d.comb += [signal.eq(value) for signal, value in self._ends.values()]
        with m.If(taken(decoder.i_token)):
            m.d.sync += self.pending.eq(1)
        with m.Elif(taken(decoder.o_token)):
            m.d.sync += self.pending.eq(0)
        with m.If(taken(decoder.o_logits)):
            m.d.sync += self.logits.eq(Mux(decoder.o_logits.payload.last, 0, self.logits + 1))
        if self.row:
            self.row.follow(m)
            self.row.of_memory(m, self.suppose)


def taken(stream: Any) -> Value:
    """A beat goes over."""
    return stream.valid & stream.ready


class EveryTokenAnswered(_Whole):
    """If no stream is stalled for ever, each token that the decoder takes is answered.

    Obligations: 1.
    """

    def __init__(self, config: Config, parts: Parts):
        super().__init__(config, parts)
        self.answered = Signal()
        waits = {
            name: port.ready & ~port.valid if name[0] == "i" else port.valid & ~port.ready
            for name in ("o_fetch", "i_weights", "o_logits", "o_token")
            for port in (getattr(parts.decoder, name),)
        }
        if self.row:
            waits |= self.row.waits()
        # Infinitely often, the decoder does not wait for the other side.
        moving = {f"{ASSUME_FAIR}{name}": ~wait for name, wait in waits.items()}
        # Infinitely often, no token waits for its answer.
        moving[f"{ASSERT_FAIR}answered"] = ~self.pending | taken(parts.decoder.o_token)
        self._ends |= {name: (Signal(name=name), value) for name, value in moving.items()}

    def elaborate(self, platform):
        m = Module()
        self.observe(m)
        answer = self.parts.decoder.o_token
        m.d.comb += self.witness("sampled", taken(answer) & answer.payload.sampled)
        m.d.comb += self.witness("not_sampled", taken(answer) & ~answer.payload.sampled)
        return m


class NoClash(_Whole):
    """In the whole decoder no multiplier is asked twice in a cycle, no result is lost, no stage or
    layer is started while it works, and each token takes the weights that it fetched, no more.

    Obligations: 4, and one for each unit that has a `fault` or asks for several products.
    """

    def elaborate(self, platform):
        m = Module()
        self.observe(m)
        parts, layout = self.parts, image(self.config)
        decoder, tokens, layers = parts.decoder, parts.tokens, parts.layers

        for name, unit in parts.units.items():
            # Nothing happens that the unit cannot take.
            m.d.comb += self.claim(f"{name}_without_fault", ~unit.fault)
        for name, asks in parts.asks.items():
            # By one port a unit asks for one product in a cycle; scalar multipliers see no more.
            twice = [one & other for one, other in itertools.combinations(asks, 2)]
            m.d.comb += self.claim(f"{name}_asks_once", ~Cat(twice).any())
        # A stage is started while it is idle.
        works = {name: stage.o.valid for name, stage in parts.stages.items()}
        restarts = Cat(stage.start & works[name] for name, stage in parts.stages.items())
        m.d.comb += self.claim("stages_started_when_idle", ~restarts.any())
        # Beats come from one stage at a time.
        others = Cat(works.values())
        m.d.comb += self.claim("one_stage_at_a_time", (others & (others - 1))[:3] == 0)
        # The layer sequencer is started when its layer is done.
        layer_runs = Signal()
        with m.If(layers.start):
            m.d.sync += layer_runs.eq(1)
        with m.Elif(layers.done):
            m.d.sync += layer_runs.eq(0)
        m.d.comb += self.claim("layer_started_when_idle", ~(layers.start & layer_runs))
        # By the answer, a token took all beats that it fetched.
        most = layout.embedding_beats + layout.body_beats + layout.classifier_beats
        fetched, used = Signal(range(most + 1)), Signal(range(most + 2))
        with m.If(taken(decoder.o_token)):
            m.d.sync += [fetched.eq(0), used.eq(0)]
        with m.Else():
            m.d.sync += used.eq(used + taken(decoder.i_weights))
            with m.If(taken(decoder.o_fetch)):
                m.d.sync += fetched.eq(fetched + decoder.o_fetch.payload.beats)
        whole = (fetched == used) & self.pending & ~tokens.i_token.ready
        m.d.comb += self.claim("takes_what_it_fetches", implies(decoder.o_token.valid, whole))

        m.d.comb += self.witness("answer", taken(decoder.o_token) & decoder.o_token.payload.sampled)
        return m


class CacheKept(_Whole):
    """The decoder keeps the contract of the KV caches, and is causal: it reads no position above
    the token's, and nothing that was not written in the current sequence.

    For a cache on the chip. Obligations: 8.
    """

    def elaborate(self, platform):
        m = Module()
        self.observe(m)
        shape, parts = self.config.shape, self.parts
        tokens, caches = parts.tokens, parts.caches
        elements = shape.kv_dim

        def every(rule: Any) -> Value:
            return Cat(rule(cache) for cache in caches).all()

        # A row is announced while none is open, in any layer.
        busy = Cat(cache.busy for cache in caches)
        announced = Cat(cache.row_start for cache in caches)
        m.d.comb += self.claim("row_when_idle", ~(announced.any() & busy.any()))
        # Only an announced row is written, a key or a value.
        m.d.comb += self.claim("write_inside_row", every(kv_contract.write_inside_row))
        m.d.comb += self.claim("one_write", every(kv_contract.one_write))
        # Indices are in range.
        m.d.comb += self.claim("write_in_range", every(kv_contract.write_in_range))
        m.d.comb += self.claim("read_in_range", every(kv_contract.read_in_range))
        # What is written is the row of the token.
        own = [
            implies(cache.wr_en_k | cache.wr_en_v, cache.wr_pos == tokens.pos) for cache in caches
        ]
        m.d.comb += self.claim("writes_its_own_row", Cat(own).all())

        # Of the open row, the keys and values that are written, this cycle's included; of each
        # layer, the rows of this sequence that are complete.
        row = [Signal(elements, name=f"row_{kind}") for kind in ("keys", "values")]
        row_now = [Signal.like(flags, name=f"{flags.name}_now") for flags in row]
        again = Signal(2)
        for number, flags in enumerate(row):
            place: Value = C(0, elements)
            for cache in caches:
                written = (cache.wr_en_k, cache.wr_en_v)[number]
                index = times_constant(cache.wr_head_kv, shape.head_dim) + cache.wr_d
                place = place | Mux(written, 1 << index, 0)[:elements]
            m.d.comb += row_now[number].eq(flags | place)
            m.d.comb += again[number].eq((flags & place).any())
            m.d.sync += flags.eq(Mux(announced.any(), 0, row_now[number]))
        # Each element of the row is written once.
        m.d.comb += self.claim("element_once", again == 0)
        rows = [Signal(range(shape.seq_len + 1), name=f"rows_{n}") for n in range(len(caches))]
        known = []
        for cache, count in zip(caches, rows, strict=True):
            with m.If(tokens.first_token):
                m.d.sync += count.eq(0)
            with m.Elif(cache.done):
                m.d.sync += count.eq(tokens.pos + 1)
            # Of the newest row, the elements of its word, in every head.
            older = (cache.rd_t < count) & (cache.rd_t < tokens.pos)
            newest = (cache.rd_t == tokens.pos) & (count <= tokens.pos)
            heads = range(shape.kv_heads)
            for start, flags in ((cache.rd_start_k, row_now[0]), (cache.rd_start_v, row_now[1])):
                places = (flags >> (head * shape.head_dim + cache.rd_d) for head in heads)
                there = Cat(place[0] for place in places).all()
                done = (cache.rd_t == tokens.pos) & (count == tokens.pos + 1)
                known.append(implies(start, older | done | (newest & there)))
        # A read is of an older row of this sequence, or of what is written of the newest.
        m.d.comb += self.claim("causal", Cat(known).all())

        first = caches[0]
        newest_read = first.rd_start_v & (first.rd_t == tokens.pos) & (tokens.pos != 0)
        m.d.comb += self.witness("newest_read", newest_read)
        m.d.comb += self.witness("older_read", first.rd_start_k & (first.rd_t < tokens.pos))
        restarts = tokens.first_token & (tokens.pos != 0)
        m.d.comb += self.witness("restarts", restarts)
        return m


class ExternalCacheKept(_Whole):
    """The decoder keeps the contract of the external KV cache, and is causal: the passes of a row
    read no position above the token's, and each below it was announced in the current sequence.

    For a cache outside. Obligations: 12.
    """

    def elaborate(self, platform):
        m = Module()
        self.observe(m)
        assert self.row, "the cache is on the chip"
        shape, tokens, row, cache = self.config.shape, self.parts.tokens, self.row, self.row.cache
        row.of_caller(m, self.claim)

        # A row is that of the token.
        m.d.comb += self.claim("own_row", implies(cache.row_start, cache.row_pos == tokens.pos))
        # Of each layer, the rows of this sequence that were announced.
        rows = Array(
            Signal(range(shape.seq_len + 1), name=f"rows_{n}") for n in range(shape.layers)
        )
        with m.If(tokens.first_token):
            m.d.sync += [count.eq(0) for count in rows]
        with m.Elif(cache.row_start):
            m.d.sync += rows[cache.row_layer].eq(cache.row_pos + 1)
        # All rows before it were announced, in this layer and sequence.
        follows = rows[cache.row_layer] == cache.row_pos
        m.d.comb += self.claim("causal", implies(cache.row_start, follows))

        older = cache.rd_start_k & (cache.rd_t < tokens.pos)
        m.d.comb += self.witness("older_read", older)
        m.d.comb += self.witness("restarts", tokens.first_token & (tokens.pos != 0))
        return m
