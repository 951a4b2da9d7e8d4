"""What connects the units of the decoder: each port that data comes by shows what it should."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from design.beat import Kind, Sink
from properties.dialect import OneOf, Theorem, implies

#: By unit, whose output each of its inputs shows in the same cycle. `decoder` is the whole; `words`
#: are the beats for which the cache reads, `row` is the element that it is to store.
WIRES: Mapping[str, Mapping[str, str]] = {
    "issue": {
        "i_weights.p": "decoder.i_weights.p",
        "residual": "x.rd_data",
        "residual_right": "x.rd_right",
        "attention": "attention.rd_data",
        "hidden": "hidden.rd_data",
        "queries": "queries.rd_data",
        "weights": "softmax.weights",
        "keys": "cache.rd_k",
        "values": "cache.rd_v",
    },
    "array": {
        "en": "issue.en",
        "i.valid": "issue.o.valid",
        "i.p": "issue.o.p",
        "o.ready": "buffer.i.ready",
    },
    "buffer": {"i.valid": "array.o.valid", "i.p": "array.o.p", "o.ready": "drain.i.ready"},
    "drain": {
        "i.valid": "buffer.o.valid",
        "i.p": "buffer.o.p",
        "norm_ready": "rmsnorm.ready",
        "reciprocals_ready": "reciprocals.ready",
        "logits_ready": "argmax.ready",
    },
    "writeback": {
        "i.valid": "drain.o.valid",
        "i.p": "drain.o.p",
        "norm_exponent": "rmsnorm.exponent",
        "norm_factor": "rmsnorm.factor",
        "value_shifts": "reciprocals.shifts",
        "value_factors": "reciprocals.factors",
    },
    "softmax": {
        "en": "issue.en",
        "rd_en": "issue.next_t_en",
        "rd_t": "issue.next_t",
        "scores.valid": "drain.scores.valid",
        "scores.p": "drain.scores.p",
    },
    "reciprocals": {
        "totals.sums": "softmax.totals.sums",
        "totals.first": "softmax.totals.first",
        "totals.complete": "softmax.totals.complete",
    },
    "residual": {
        "coming.valid": "writeback.coming.valid",
        "coming.p": "writeback.coming.p",
        "i.valid": "writeback.o.valid",
        "i.p": "writeback.o.p",
    },
    "rmsnorm": {"start": "residual.complete", "square_sum": "residual.square_sum"},
    "rope": {"i.valid": "writeback.scaled.valid", "i.p": "writeback.scaled.p"},
    "swiglu": {
        "i.valid": "writeback.scaled.valid",
        "i.p": "writeback.scaled.p",
        "phase": "drain.phase",
    },
    "argmax": {"i.valid": "writeback.scaled.valid", "i.p": "writeback.scaled.p"},
    "queries": {
        "wr_en": "rope.o.q",
        "wr_head": "rope.o.head",
        "wr_d": "rope.o.d",
        "wr_data": "rope.o.value",
        "rd_en": "issue.fetch.valid",
        "rd_block": "issue.fetch.p.block",
        "rd_d": "issue.fetch.p.d",
    },
    "cache": {
        "wr_en_k": "row.k",
        "wr_en_v": "row.v",
        "wr_layer": "row.layer",
        "wr_head_kv": "row.head",
        "wr_d": "row.d",
        "wr_data": "row.value",
        "rd_en": "issue.en",
        "rd_claim": "issue.claims.valid",
        "rd_layer": "words.p.layer",
        "rd_block": "words.p.block",
        "rd_t": "words.p.t",
        "rd_d": "words.p.d",
    },
    "x": {
        "wr_en": "residual.o.valid",
        "wr_data": "residual.o.p",
        "rd_en": "issue.en",
        "next_index": "issue.next_column",
        "next_folded": "issue.next_folded",
    },
    "attention": {
        "wr_data": "writeback.scaled.p.value",
        "rd_en": "issue.en",
        "next_index": "issue.next_column",
    },
    "hidden": {
        "coming": "swiglu.coming",
        "wr_en": "swiglu.o.valid",
        "wr_data": "swiglu.o.p",
        "rd_en": "issue.en",
        "next_index": "issue.next_column",
    },
}


class UnitsConnected(Theorem):
    """In the whole decoder each input of a unit shows, in every cycle, the output that `WIRES`
    names, with every lane and slot in its place; beats enter as the stage that runs made them, and
    memories are read for the beats that want them.

    `port` gives the value of a path, ``unit.port`` or ``unit.port.field``. An input that is
    narrower than what it shows has its low bits. About any unit. Obligations: 5, and one for each
    unit of `WIRES`.
    """

    def __init__(self, port: Callable[[str], Any]):
        self.port = port

    def describe(self, m: Module) -> None:
        # Under a condition of its own each: of claims that hold by construction, yosys keeps one.
        shown = {
            unit: [self._shows(f"{unit}.{name}", source) for name, source in inputs.items()]
            for unit, inputs in WIRES.items()
        }
        claims = {**shown, **self._on_demand(), "stages": self._stages()}
        chosen = OneOf(len(claims), "unit")
        chosen.choose(self)
        for number, (name, conditions) in enumerate(claims.items()):
            with m.If(chosen.which == number):
                self.claim(name, Cat(conditions).all(), "What comes in is what it should be.")
        waits = self.port("array.o.valid") & ~self.port("buffer.i.ready")
        self.claim(
            "stands_still",
            implies(waits, ~self.port("issue.en")),
            "While a finished pass cannot be taken, nothing moves.",
        )

        self.witness("multiplies", self.port("issue.o.valid") & self.port("issue.en"))

    def _shows(self, sink: str, source: str) -> Value:
        shown, given = (Value.cast(self.port(path)) for path in (sink, source))
        if len(given) > len(shown):
            given = given[: len(shown)]
            given = given.as_signed() if shown.shape().signed else given
        return shown == given

    def _on_demand(self) -> dict[str, list[Value]]:
        """What is read, and summed, for a beat of the right kind, and for no other."""
        port = self.port
        sink, kind = port("issue.fetch.p.sink"), port("issue.fetch.p.kind")
        vectors = {
            "x": (Sink.QKV, Sink.W13, Sink.CLS),
            "attention": (Sink.WO,),
            "hidden": (Sink.W2,),
        }
        used = port("issue.o.p.beat")
        first_word = (used.kind == Kind.VALUE) & (used.d == 0)
        sums = port("issue.o.valid") & port("issue.en") & first_word
        return {
            "vectors_fetched": [
                port(f"{vector}.fetch")
                == port("issue.fetch.valid")
                & (kind == Kind.WEIGHT)
                & Cat(sink == each for each in sinks).any()
                for vector, sinks in vectors.items()
            ],
            "words_read": [
                port(f"cache.rd_start_{name}")
                == port("words.valid") & (port("words.p.kind") == kind)
                for name, kind in (("k", Kind.KEY), ("v", Kind.VALUE))
            ],
            "weights_summed": [
                port("softmax.adds.valid") == sums,
                implies(sums, port("softmax.adds.p.first") == used.first),
            ],
        }

    def _stages(self) -> list[Value]:
        """The one stage that offers a beat offers it to the pipeline, in the layer of the token."""
        port, stages = self.port, ("projection", "score", "value")
        entered, offers = port("issue.i"), {each: port(f"{each}.o") for each in stages}
        valids = Cat(offered.valid for offered in offers.values())
        alone = valids & (valids - 1) == 0
        conditions = [entered.valid == valids.any()]
        for offered in offers.values():
            fields = [name for name, _ in entered.payload.shape() if name != "layer"]
            same = Cat(
                Value.cast(entered.payload[name]) == Value.cast(offered.payload[name])
                for name in fields
            ).all()
            in_layer = entered.payload.layer == port("token_sequencer.layer")
            conditions.append(implies(alone & offered.valid, same & in_layer))
            conditions.append(offered.ready == entered.ready)
        return conditions
