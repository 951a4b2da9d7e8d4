"""A toy with the ports of the decoder and trivial arithmetic, and a golden model of it.

It has a multiplier and an accumulator on each lane, so that its simulation speed is realistic.
"""

from types import SimpleNamespace

import numpy as np
from amaranth import *
from amaranth.lib import data, wiring

from design.ports import DecoderSignature
from spec.config import Config, Geometry, Numerics, Shape
from spec.schedule import image
from spec.trace import Tensor

ACC_BITS = 48
LOGIT_BITS = 16


def toy_config(lanes: int = 4, weight_bits: int = 16, name: str = "toy") -> Config:
    """A small configuration; its formats do not matter to the toy."""
    shape = Shape(dim=8, hidden=12, layers=2, heads=4, kv_heads=2, vocab=16, seq_len=8)
    return Config(
        name=name,
        shape=shape,
        numerics=Numerics(weight_bits=weight_bits),
        geometry=Geometry(lanes=lanes),
    )


def toy_image(config: Config, seed: int = 1) -> np.ndarray:
    """Random weights, one row a beat."""
    rng = np.random.default_rng(seed)
    bits = config.numerics.weight_bits
    shape = (image(config).beats, config.geometry.lanes)
    dtype = np.int8 if bits == 8 else np.int16
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape, dtype)


class Toy(wiring.Component):
    """Sums weight * beat number over all beats; logit n is the scrambled sum.

    `bug` plants one: "stuck" never answers, "drop" changes a logit while it is stalled,
    "trace" traces a wrong value, "greedy" asks for beats past the image.
    """

    def __init__(self, config: Config, bug: str | None = None):
        self.config = config
        self.bug = bug
        super().__init__(DecoderSignature(config, records=2))

    def elaborate(self, platform):
        m = Module()
        config, lanes = self.config, self.config.geometry.lanes
        beats = image(config)

        token = Signal(self.i_token.payload.shape())
        count = Signal(range(beats.beats + 1))
        wanted = Signal.like(count)
        position = Signal(range(config.shape.seq_len + 1))
        number = Signal(range(config.shape.vocab + 1))
        total = Signal(signed(ACC_BITS))
        accumulators = Signal(data.ArrayLayout(signed(ACC_BITS), lanes))
        products = Signal(data.ArrayLayout(signed(32), lanes))
        product_valid = Signal()
        best = Signal(signed(LOGIT_BITS))
        best_id = Signal(range(config.shape.vocab))
        busy = Signal()
        lane = Signal(range(lanes + 1))

        beat = self.i_weights.valid & self.i_weights.ready
        m.d.sync += product_valid.eq(beat)
        factor = Signal(signed(16))
        m.d.comb += factor.eq(Cat(C(1, 1), count))
        for n in range(lanes):
            m.d.sync += products[n].eq(self.i_weights.payload[n] * factor)
            with m.If(product_valid):
                m.d.sync += accumulators[n].eq(accumulators[n] + products[n])
        with m.If(busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(beat):
            m.d.sync += [count.eq(count + 1), self.macs.eq(self.macs + lanes)]

        logit = Signal(signed(LOGIT_BITS))
        m.d.comb += logit.eq((total >> number[:3]) ^ (number * 0x3579))
        held = Signal(LOGIT_BITS)
        m.d.sync += held.eq(held + 1)
        m.d.comb += [
            self.o_logits.payload.value.eq(logit),
            self.o_logits.payload.last.eq(number == config.shape.vocab - 1),
            self.o_token.payload.sampled.eq(token.sample),
            self.o_token.payload.id.eq(Mux(token.sample, best_id, token.id)),
            self.o_token.payload.end.eq(
                (token.sample & (best_id == 1)) | (position == config.shape.seq_len)
            ),
        ]
        if self.bug == "drop":
            m.d.comb += self.o_logits.payload.value.eq(held)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i_token.ready.eq(1)
                with m.If(self.i_token.valid):
                    m.d.sync += [token.eq(self.i_token.payload), busy.eq(1), count.eq(0)]
                    m.d.sync += position.eq(position + 1)
                    with m.If(self.i_token.payload.first):
                        m.d.sync += [accumulators.eq(0), position.eq(1)]
                    m.next = "FETCH_EMBEDDING"
            with m.State("FETCH_EMBEDDING"):
                address = token.id * beats.embedding_beats
                if self.bug == "greedy":
                    address = beats.beats - 1
                m.d.comb += [
                    self.o_fetch.valid.eq(1),
                    self.o_fetch.payload.address.eq(address),
                    self.o_fetch.payload.beats.eq(beats.embedding_beats),
                ]
                m.d.sync += wanted.eq(beats.embedding_beats)
                with m.If(self.o_fetch.ready):
                    m.next = "EAT_EMBEDDING"
            with m.State("EAT_EMBEDDING"):
                m.d.comb += self.i_weights.ready.eq(count != wanted)
                with m.If(count == wanted):
                    m.next = "FETCH_BODY"
            with m.State("FETCH_BODY"):
                run = beats.body_beats + Mux(token.sample, beats.classifier_beats, 0)
                m.d.comb += [
                    self.o_fetch.valid.eq(1),
                    self.o_fetch.payload.address.eq(beats.body),
                    self.o_fetch.payload.beats.eq(run),
                ]
                m.d.sync += wanted.eq(beats.embedding_beats + run)
                with m.If(self.o_fetch.ready):
                    m.next = "EAT_BODY"
            with m.State("EAT_BODY"):
                m.d.comb += self.i_weights.ready.eq(count != wanted)
                m.d.sync += [number.eq(0), best_id.eq(0), best.eq(-(1 << (LOGIT_BITS - 1)))]
                with m.If(count == wanted):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(~product_valid):
                    m.next = "SUM"
            with m.State("SUM"):
                # Rotates by one lane a cycle; at the end every accumulator is back at its lane.
                m.d.sync += [
                    total.eq(Mux(lane == 0, 0, total) + accumulators[0]),
                    accumulators.as_value().eq(
                        Cat(accumulators.as_value()[ACC_BITS:], accumulators[0])
                    ),
                    lane.eq(lane + 1),
                ]
                with m.If(lane == lanes - 1):
                    m.d.sync += lane.eq(0)
                    m.next = "TOKEN"
                    with m.If(token.sample):
                        m.next = "LOGITS"
            with m.State("LOGITS"):
                m.d.comb += self.o_logits.valid.eq(self.bug != "stuck")
                with m.If(self.o_logits.ready & self.o_logits.valid):
                    m.d.comb += [
                        self.trace[0].valid.eq(1),
                        self.trace[0].tensor.eq(Tensor.LOGITS.value),
                        self.trace[0].index.eq(number),
                        self.trace[0].value.eq(logit),
                    ]
                    if self.bug == "trace":
                        m.d.comb += self.trace[0].value.eq(logit + (number == 3))
                    m.d.sync += number.eq(number + 1)
                    with m.If(logit > best):
                        m.d.sync += [best.eq(logit), best_id.eq(number)]
                    with m.If(self.o_logits.payload.last):
                        m.next = "TOKEN"
            with m.State("TOKEN"):
                m.d.comb += self.o_token.valid.eq(1)
                with m.If(self.o_token.ready):
                    m.d.sync += busy.eq(0)
                    m.next = "IDLE"

        # Lane 0 of the first `dim` products of a token, traced like an embedding.
        with m.If(product_valid & (count <= config.shape.dim)):
            m.d.comb += [
                self.trace[1].valid.eq(1),
                self.trace[1].tensor.eq(Tensor.X_EMBED.value),
                self.trace[1].index.eq(count - 1),
                self.trace[1].value.eq(products[0]),
            ]
        return m


class GoldenToy:
    """What `Toy` must compute: `step` as of `golden.fast.decoder.FixedDecoder`, a batch of one."""

    def __init__(self, config: Config, weights: np.ndarray):
        self.config = config
        self.weights = weights.astype(np.int64)
        self.total = 0

    def macs(self, sample: bool) -> int:
        """What one token counts: every weight that it takes."""
        beats = image(self.config)
        taken = beats.embedding_beats + beats.body_beats + sample * beats.classifier_beats
        return taken * self.config.geometry.lanes

    def step(self, token: int, first: bool, sample: bool) -> SimpleNamespace:
        """One token; `.id`, `.logits` and `.trace`."""
        beats = image(self.config)
        start = token * beats.embedding_beats
        size = beats.body_beats + (beats.classifier_beats if sample else 0)
        rows = np.concatenate(
            [
                self.weights[start : start + beats.embedding_beats],
                self.weights[beats.body : beats.body + size],
            ]
        )
        factors = (np.arange(len(rows)) & 0x7FFF) << 1 | 1
        factors = np.where(factors >= 0x8000, factors - 0x10000, factors)
        products = rows * factors[:, None]
        self.total = int(products.sum()) + (0 if first else self.total)
        numbers = np.arange(self.config.shape.vocab)
        logits = ((self.total >> (numbers & 7)) ^ (numbers * 0x3579)) & ((1 << LOGIT_BITS) - 1)
        logits = np.where(logits >= 1 << (LOGIT_BITS - 1), logits - (1 << LOGIT_BITS), logits)
        trace = {Tensor.X_EMBED: products[: self.config.shape.dim, 0][None]}
        if sample:
            trace[Tensor.LOGITS] = logits[None]
        return SimpleNamespace(
            id=int(np.argmax(logits)) if sample else token,
            logits=logits if sample else None,
            trace=trace,
        )
