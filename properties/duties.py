"""The whole decoder keeps what the theorems about its units suppose of their surroundings."""

from collections.abc import Mapping
from typing import Any

from amaranth import *

from design.beat import Sink
from properties.composition import Parts, Whole
from properties.dialect import Theorem, implies
from spec.config import Config


class DutiesKept(Whole):
    """Every unit of the decoder is used as the theorems about it suppose: what they suppose of its
    inputs holds of what drives them.

    `duties` are these theorems, turned around (`Theorem.duties`), about the units in their places;
    `used` are occasions, by name, on which they say something. `product` of the array: that one is
    added up, and of which beat. Obligations: one for each supposition, and 4.
    """

    def __init__(
        self,
        config: Config,
        parts: Parts,
        *,
        duties: Mapping[str, Theorem],
        used: Mapping[str, Value],
        product: tuple[Value, Any],
        running: Value,
    ):
        super().__init__(config, parts)
        self.owed = duties
        self.used = used
        self.product = product
        self.running = running

    def describe(self, m: Module) -> None:
        self.observe(m)
        m.submodules += self.owed.values()
        self._array(m)
        self._rest(m)
        for name, occasion in self.used.items():
            self.witness(name, occasion)

    def _array(self, m: Module) -> None:
        """What `AccumulatesExactly` supposes of a lane's sum, whatever it is a sum for."""
        shape = self.config.shape
        adds, beat = self.product
        most = {
            Sink.EMBED: 1,
            Sink.QKV: shape.dim,
            Sink.WO: shape.q_dim,
            Sink.W13: shape.dim,
            Sink.W2: shape.hidden,
            Sink.CLS: shape.dim,
            Sink.SCORE: shape.head_dim,
        }
        if not self.loops:
            # Elsewhere positions are not counted: `properties.positions` says how many there are.
            most[Sink.VALUE] = shape.seq_len
        terms = Signal(range(max(most.values()) + 1))
        sink, begun = Signal.like(beat.sink), Signal()
        counted = Mux(beat.first, 0, terms)
        with m.If(adds):
            m.d.sync += [sink.eq(beat.sink), begun.eq(1)]
        with m.If(adds & (beat.sink != Sink.VALUE if self.loops else 1)):
            m.d.sync += terms.eq(counted + 1)
        one_sum = implies(adds & ~beat.first, begun & (beat.sink == sink))
        self.claim("array_begins", one_sum, "A sum begins with a first term, and is for one sink.")
        room = [(beat.sink == each) & (counted < limit) for each, limit in most.items()]
        if self.loops:
            room.append(beat.sink == Sink.VALUE)
        self.claim(
            "array_no_more_terms",
            implies(adds, Cat(room).any()),
            "It has no more terms than the matrix has columns, the head elements, the text "
            "positions.",
        )

    def _rest(self, m: Module) -> None:
        """What harnesses suppose in terms of their own."""
        decoder, units = self.parts.decoder, self.parts.units
        logit = units["argmax"].i.valid & (units["argmax"].i.p.sink == Sink.CLS)
        self.claim(
            "best_stays",
            ~(decoder.o_token.valid & logit),
            "No logit comes while an answer is offered, so that the best stays.",
        )
        if self.loops:
            softmax, begun = self.parts.inner["softmax"], Signal()
            with m.If(softmax.adds.valid):
                m.d.sync += begun.eq(1)
            begins = implies(softmax.adds.valid & ~begun, softmax.adds.p.first)
            self.claim(
                "softmax_begins",
                begins,
                "The first weight of all begins a sum. (Elsewhere terms are counted.)",
            )
        ran = Signal(5)
        m.d.sync += ran.eq(Cat(self.running, ran))
        start = self.parts.inner["reciprocals"].totals.complete
        self.claim(
            "reciprocals_block_after_block",
            ~(start & ran.any()),
            "The reciprocals of a block are asked for when those of the one before are found.",
        )
