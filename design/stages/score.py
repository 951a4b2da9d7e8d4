"""S2: walks the array through the score pass of one block of heads."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from design.arith import times_constant
from design.beat import Kind, Sink
from design.stages.ports import attention_members, stage_members
from spec.config import Config
from spec.derived import ceil_div, derive


class ScoreStage(wiring.Component):
    """For every key word up to `pos`: multiply its `head_dim` elements by the queries.

    Latency: `done` comes ``(pos // k_word + 1) * head_dim + 1`` cycles after `start` when `o` is
    always ready, one later for each cycle it is not.

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
    newest
        The key word on offer holds it.
    fsm
        Idle, or offering Words.
    """

    def __init__(self, config: Config):
        self.config = config
        shape, derived = config.shape, derive(config)
        most = ceil_div(shape.seq_len, derived.k_word) * shape.head_dim
        super().__init__(attention_members(config) | stage_members(config, most))
        self.own_pos = Signal.like(self.pos, name="pos")
        self.newest = Signal()

    def elaborate(self, platform):
        m = Module()
        shape, derived = self.config.shape, derive(self.config)
        word_bits = exact_log2(derived.k_word)
        beat = self.o.payload
        pos, newest = self.own_pos, self.newest
        block = Signal.like(self.block)
        t = Signal.like(beat.t)
        d = Signal.like(beat.d)
        last_d = Signal()
        active_heads = heads_in_block(self.config, block)

        m.d.comb += [
            newest.eq((t >> word_bits) == (pos >> word_bits)),
            last_d.eq(d == shape.head_dim - 1),
            beat.kind.eq(Kind.KEY),
            beat.sink.eq(Sink.SCORE),
            beat.first.eq(d == 0),
            beat.last.eq(last_d),
            beat.newest.eq(newest),
            beat.t.eq(t),
            beat.d.eq(d),
            beat.block.eq(block),
            beat.count.eq(Mux(newest, (pos & (derived.k_word - 1)) + 1, derived.k_word)),
            beat.macs.eq(_product(beat.count, active_heads)),
        ]
        m.d.sync += self.done.eq(0)

        with m.FSM() as self.fsm:
            with m.State("Idle"):
                with m.If(self.start):
                    words = (self.pos >> word_bits) + 1
                    m.d.sync += [
                        pos.eq(self.pos),
                        block.eq(self.block),
                        t.eq(0),
                        d.eq(0),
                        self.remaining.eq(times_constant(words, shape.head_dim)),
                    ]
                    m.next = "Words"
            with m.State("Words"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [d.eq(d + 1), self.remaining.eq(self.remaining - 1)]
                    with m.If(last_d):
                        m.d.sync += [d.eq(0), t.eq(t + derived.k_word)]
                        with m.If(newest):
                            m.d.sync += self.done.eq(1)
                            m.next = "Idle"
        return m


def heads_in_block(config: Config, block: Value) -> dict[int, Value]:
    """``{heads: condition}``: how many slots hold a head in this block, as exclusive conditions."""
    shape, derived = config.shape, derive(config)
    rest = shape.heads % derived.slots
    if not rest:
        return {derived.slots: C(1, 1)}
    is_last = block == derived.head_blocks - 1
    return {rest: is_last, derived.slots: ~is_last}


def _product(value: Value, factors: dict[int, Value]) -> Value:
    """`value` times the factor whose condition holds, without a multiplier."""
    product: Value = C(0, 1)
    for factor, condition in factors.items():
        product = product | Mux(condition, times_constant(value, factor), 0)
    return product
