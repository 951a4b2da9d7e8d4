"""S3: walks the array through the value pass of one block of heads."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.beat import Kind, Sink
from design.stages.ports import attention_members, stage_members
from design.stages.score import heads_in_block
from spec.config import Config
from spec.derived import derive


class ValueStage(wiring.Component):
    """For every value word of a head: sum it over all positions, weighted by the softmax.

    Latency: `done` comes ``v_words * (pos + 1) + 1`` cycles after `start` when `o` is always
    ready, one later for each cycle it is not.

    Members
    -------
    start, done, o, remaining
        See `stage_members`.
    pos, block
        See `attention_members`.

    Inside (for proofs)
    -------------------
    own_pos
        The newest position of this pass.
    fsm
        Idle, or offering Words.
    """

    def __init__(self, config: Config):
        self.config = config
        shape, derived = config.shape, derive(config)
        most = derived.v_words * shape.seq_len
        super().__init__(attention_members(config) | stage_members(config, most))
        self.own_pos = Signal.like(self.pos, name="pos")

    def elaborate(self, platform):
        m = Module()
        shape, derived = self.config.shape, derive(self.config)
        beat = self.o.payload
        pos = self.own_pos
        block = Signal.like(self.block)
        t = Signal.like(beat.t)
        d = Signal.like(beat.d)
        last_word = Signal()
        elements = Signal.like(beat.macs)  # of this word, all slots

        m.d.comb += [
            last_word.eq(d >> exact_log2(derived.v_word) == derived.v_words - 1),
            beat.kind.eq(Kind.VALUE),
            beat.sink.eq(Sink.VALUE),
            beat.first.eq(t == 0),
            beat.last.eq(t == pos),
            beat.newest.eq(t == pos),
            beat.t.eq(t),
            beat.d.eq(d),
            beat.block.eq(block),
            beat.count.eq(self.config.geometry.lanes),
            beat.macs.eq(elements),
        ]
        rest = shape.head_dim - (derived.v_words - 1) * derived.v_word
        for heads, condition in heads_in_block(self.config, block).items():
            with m.If(condition):
                m.d.comb += elements.eq(Mux(last_word, rest * heads, derived.v_word * heads))
        m.d.sync += self.done.eq(0)

        with m.FSM() as self.fsm:
            with m.State("Idle"):
                with m.If(self.start):
                    m.d.sync += [
                        pos.eq(self.pos),
                        block.eq(self.block),
                        t.eq(0),
                        d.eq(0),
                        self.remaining.eq(times_constant(self.pos + 1, derived.v_words)),
                    ]
                    m.next = "Words"
            with m.State("Words"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [t.eq(t + 1), self.remaining.eq(self.remaining - 1)]
                    with m.If(beat.last):
                        m.d.sync += [t.eq(0), d.eq(d + derived.v_word)]
                        with m.If(last_word):
                            m.d.sync += self.done.eq(1)
                            m.next = "Idle"
        return m
