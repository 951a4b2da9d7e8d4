"""What runs when: the layer sequencer runs the stages, the token sequencer runs the layers."""

import functools
import operator
from enum import StrEnum
from typing import ClassVar

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.arith import times_constant
from design.beat import Sink, beat_layout, to_sink
from design.ports import fetch_layout, token_in_layout, token_out_layout
from spec.config import Config
from spec.layer_plan import Attend, Work, layer_plan
from spec.schedule import Op, image

#: The state in which a sequencer waits for a start.
IDLE = "Idle"
#: The state in which a stage is waited for.
STATES: dict[Work, str] = {
    Op.BIAS: "S1 biases",
    Op.QKV: "S1",
    Attend.SCORES: "S2",
    Attend.VALUES: "S3",
    Op.WO: "S4",
    Op.W13: "S5 gate and up",
    Op.W2: "S5 down",
}


class LayerSequencer(wiring.Component):
    """One layer, in the order of `spec.layer_plan`: S1 (biases where there are any, QKV), for each
    block of heads S2 (scores) and S3 (values), S4 (Wo), S5 (FFN).

    A stage's `done` means that all its beats are in the array, not that all its results are out:
    the next stage starts at once, and waits beat by beat for what it needs.

    Latency: none of its own. A stage starts in the cycle of the `done` before it (the first in
    that of `start`), and `done` is that of the last.

    Members
    -------
    start : In(1)
        Begin; ignored unless idle.
    done : Out(1)
        One-cycle pulse: every stage is done.
    projection_start, projection_op, projection_done : Out, Out, In
    projection_bias : Out(1), where the shape has biases
        See `ProjectionStage`.
    score_start, score_done, value_start, value_done : Out, In, Out, In
        A start and a done for each stage.
    block : Out
        Which heads the score and value stages serve.

    Inside (for proofs)
    -------------------
    own_block
        `block` in the cycle before.
    fsm
        In `IDLE` or one of `STATES`.
    """

    def __init__(self, config: Config):
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                "projection_start": Out(1),
                "projection_op": Out(Sink),
                **({"projection_bias": Out(1)} if config.shape.qkv_bias else {}),
                "projection_done": In(1),
                "score_start": Out(1),
                "score_done": In(1),
                "value_start": Out(1),
                "value_done": In(1),
                "block": Out(beat_layout(config)["block"].shape),
            }
        )
        self.own_block = Signal.like(self.block, name="block")

    def elaborate(self, platform):
        m = Module()
        plan = layer_plan(self.config)
        block = self.own_block
        m.d.comb += self.block.eq(block)
        m.d.sync += block.eq(self.block)

        def start(work: Work) -> None:
            """Start a stage in this cycle and wait for its done."""
            if isinstance(work, Op):
                m.d.comb += [self.projection_start.eq(1), self.projection_op.eq(to_sink(work))]
                if work is Op.BIAS:
                    m.d.comb += self.projection_bias.eq(1)
            else:
                m.d.comb += (self.score_start if work is Attend.SCORES else self.value_start).eq(1)
            m.next = STATES[work]

        with m.FSM() as self.fsm:
            with m.State(IDLE):
                with m.If(self.start):
                    m.d.comb += self.block.eq(0)
                    start(plan.works[0])
            for number, work in enumerate(plan.works, 1):
                with m.State(STATES[work]):
                    with m.If(self._done(work)):
                        if number == len(plan.works):
                            m.d.comb += self.done.eq(1)
                            m.next = IDLE
                        elif work is Attend.VALUES:
                            with m.If(block == plan.blocks - 1):
                                start(plan.works[number])
                            with m.Else():
                                m.d.comb += self.block.eq(block + 1)
                                start(Attend.SCORES)
                        else:
                            start(plan.works[number])
        return m

    def _done(self, work: Work) -> Signal:
        if isinstance(work, Op):
            return self.projection_done
        return self.score_done if work is Attend.SCORES else self.value_done


class TokenState(StrEnum):
    """What is waited for while a token is in flight."""

    FETCH_EMBEDDING = "Fetch embedding"
    FETCH_LAYERS = "Fetch layers"
    EMBED = "Embed"
    LAYERS = "Layers"
    DRAIN = "Drain"
    ANSWER = "Answer"


class TokenSequencer(wiring.Component):
    """One token: fetch its weights, embed, run every layer, classify if asked, answer.

    Members
    -------
    i_token, o_token, o_fetch : streams
        See `ports.DecoderSignature`.
    embed_start, classify_start : Out(1)
        Start the projection stage on the embedding, on the classifier.
    projection_done : In(1)
    layer_start, layer_done : Out(1), In(1)
    layer : Out
        The layer that runs.
    pos : Out(range(seq_len))
        Position of the token in flight.
    next_token, first_token : Out(1)
        A token was taken; it is the first of a sequence.
    normed : In(1)
        The factor of the last residual is there: without a classifier, all work is done.
    classified, best : In
        All logits are out; the first index of the greatest.
    busy : Out(1)
        A token is in flight, from `i_token` to `o_token`.

    Inside (for proofs)
    -------------------
    token
        The one in flight.
    ended
        No text is open: the next token is a first.
    next_layer
        A layer starts that is not the first.
    embedded
        The embedding is in the array, though fetches may still be waiting.
    fsm
        In `IDLE` or a `TokenState`.
    """

    #: While the first is high, a token waits for one of the others (a hang is explained by them).
    waits_for: ClassVar = {"busy": ("embedded", "layer", "normed", "classified")}

    def __init__(self, config: Config):
        self.config = config
        shape = config.shape
        super().__init__(
            {
                "i_token": In(stream.Signature(token_in_layout(config))),
                "o_token": Out(stream.Signature(token_out_layout(config))),
                "o_fetch": Out(stream.Signature(fetch_layout(config))),
                "embed_start": Out(1),
                "classify_start": Out(1),
                "projection_done": In(1),
                "layer_start": Out(1),
                "layer_done": In(1),
                "layer": Out(beat_layout(config)["layer"].shape),
                "pos": Out(range(shape.seq_len)),
                "next_token": Out(1),
                "first_token": Out(1),
                "normed": In(1),
                "classified": In(1),
                "best": In(range(shape.vocab)),
                "busy": Out(1),
            }
        )
        self.token = Signal(token_in_layout(config))
        self.ended = Signal(init=1)
        self.next_layer = Signal()
        self.embedded = Signal()

    def elaborate(self, platform):
        m = Module()
        shape, layout = self.config.shape, image(self.config)
        token, ended = self.token, self.ended
        next_layer, embedded = self.next_layer, self.embedded
        fetch = self.o_fetch.payload
        answer = self.o_token.payload

        # A layer but the first starts one cycle after the one before, when `layer` is its own.
        m.d.sync += next_layer.eq(0)
        m.d.comb += self.layer_start.eq(next_layer)
        with m.If(self.embed_start):
            m.d.sync += embedded.eq(0)
        with m.Elif(self.projection_done):
            m.d.sync += embedded.eq(1)
        chosen_ends = [self.best == end for end in shape.end_ids] or [C(0, 1)]
        ends_text = functools.reduce(operator.or_, chosen_ends)
        m.d.comb += [
            answer.id.eq(Mux(token.sample, self.best, token.id)),
            answer.sampled.eq(token.sample),
            answer.end.eq((token.sample & ends_text) | (self.pos == shape.seq_len - 1)),
        ]
        with m.FSM() as self.fsm:
            m.d.comb += self.busy.eq(~self.fsm.ongoing(IDLE))
            with m.State(IDLE):
                m.d.comb += [
                    self.i_token.ready.eq(1),
                    self.next_token.eq(self.i_token.valid),
                    self.embed_start.eq(self.i_token.valid),
                    self.first_token.eq(self.i_token.valid & (self.i_token.payload.first | ended)),
                ]
                with m.If(self.i_token.valid):
                    m.d.sync += [token.eq(self.i_token.payload), self.layer.eq(0)]
                    m.d.sync += self.pos.eq(Mux(self.first_token, 0, self.pos + 1))
                    m.next = TokenState.FETCH_EMBEDDING
            with m.State(TokenState.FETCH_EMBEDDING):
                m.d.comb += [
                    self.o_fetch.valid.eq(1),
                    fetch.address.eq(times_constant(token.id, layout.embedding_beats)),
                    fetch.beats.eq(layout.embedding_beats),
                ]
                with m.If(self.o_fetch.ready):
                    m.next = TokenState.FETCH_LAYERS
            with m.State(TokenState.FETCH_LAYERS):
                m.d.comb += [
                    self.o_fetch.valid.eq(1),
                    fetch.address.eq(layout.body),
                    fetch.beats.eq(
                        layout.body_beats + Mux(token.sample, layout.classifier_beats, 0)
                    ),
                ]
                with m.If(self.o_fetch.ready):
                    m.next = TokenState.EMBED
            with m.State(TokenState.EMBED):
                with m.If(self.projection_done | embedded):
                    m.d.comb += self.layer_start.eq(1)
                    m.next = TokenState.LAYERS
            with m.State(TokenState.LAYERS):
                with m.If(self.layer_done):
                    with m.If(self.layer == shape.layers - 1):
                        m.d.comb += self.classify_start.eq(token.sample)
                        m.next = TokenState.DRAIN
                    with m.Else():
                        m.d.sync += [self.layer.eq(self.layer + 1), next_layer.eq(1)]
            with m.State(TokenState.DRAIN):
                with m.If(Mux(token.sample, self.classified, self.normed)):
                    m.next = TokenState.ANSWER
            with m.State(TokenState.ANSWER):
                m.d.comb += self.o_token.valid.eq(1)
                with m.If(self.o_token.ready):
                    m.d.sync += ended.eq(answer.end)
                    m.next = IDLE
        return m
