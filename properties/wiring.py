"""What connects the units of the decoder: each port that data comes by shows what it should."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from design.beat import Kind, Sink
from properties.dialect import OneOf, Theorem, implies

#: By unit, whose output each of its inputs shows in the same cycle. `decoder` is the whole; of the
#: cache, `reads` says that it reads, `words` for which beat, `row` which element it is to store.
WIRES: Mapping[str, Mapping[str, str]] = {
    "issue": {
        "i_weights.payload": "decoder.i_weights.payload",
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
        "i_valid": "issue.o_valid",
        "i_beat": "issue.o_beat",
        "a": "issue.a",
        "b": "issue.b",
        "b_exponents": "issue.b_exponents",
        "sums_taken": "buffer.i_ready",
    },
    "buffer": {
        "i_valid": "array.sums_valid",
        "sums": "array.sums",
        "shifts": "array.shifts",
        "beat": "array.sums_beat",
        "o_ready": "drain.i_ready",
    },
    "drain": {
        "i_valid": "buffer.o_valid",
        "sums": "buffer.o_sums",
        "shifts": "buffer.o_shifts",
        "beat": "buffer.o_beat",
        "norm_ready": "rmsnorm.ready",
        "reciprocals_ready": "reciprocals.ready",
        "logits_ready": "argmax.ready",
    },
    "writeback": {
        "i_valid": "drain.o_valid",
        "i": "drain.o",
        "norm_exponent": "rmsnorm.exponent",
        "norm_factor": "rmsnorm.factor",
        "value_shifts": "reciprocals.shifts",
        "value_factors": "reciprocals.factors",
    },
    "softmax": {
        "en": "issue.en",
        "rd_en": "issue.next_t_en",
        "rd_t": "issue.next_t",
        "scores_valid": "drain.scores_valid",
        "scores": "drain.scores",
    },
    "reciprocals": {"sums": "softmax.sums", "maxima": "softmax.maxima"},
    "residual": {
        "coming": "writeback.coming",
        "coming_row": "writeback.coming_row",
        "i_valid": "writeback.o_valid",
        "i": "writeback.o",
    },
    "rmsnorm": {"start": "residual.complete", "square_sum": "residual.square_sum"},
    "rope": {"i_valid": "writeback.scaled_valid", "i": "writeback.scaled"},
    "swiglu": {
        "i_valid": "writeback.scaled_valid",
        "i": "writeback.scaled",
        "phase": "drain.phase",
    },
    "argmax": {"i_valid": "writeback.scaled_valid", "i": "writeback.scaled"},
    "queries": {
        "wr_en": "rope.o.q",
        "wr_head": "rope.o.head",
        "wr_d": "rope.o.d",
        "wr_data": "rope.o.value",
        "rd_en": "issue.fetch",
        "rd_block": "issue.fetch_beat.block",
        "rd_d": "issue.fetch_beat.d",
    },
    "cache": {
        "wr_en_k": "row.k",
        "wr_en_v": "row.v",
        "wr_layer": "row.layer",
        "wr_head_kv": "row.head",
        "wr_d": "row.d",
        "wr_data": "row.value",
        "rd_en": "issue.en",
        "rd_claim": "issue.claims",
        "rd_layer": "words.layer",
        "rd_block": "words.block",
        "rd_t": "words.t",
        "rd_d": "words.d",
    },
    "x": {
        "wr_en": "residual.o_valid",
        "wr_data": "residual.o",
        "rd_en": "issue.en",
        "next_index": "issue.next_column",
        "next_folded": "issue.next_folded",
    },
    "attention": {
        "wr_data": "writeback.scaled.value",
        "rd_en": "issue.en",
        "next_index": "issue.next_column",
    },
    "hidden": {
        "coming": "swiglu.coming",
        "wr_en": "swiglu.o_valid",
        "wr_data": "swiglu.o",
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

    def elaborate(self, platform):
        m = Module()
        # Under a condition of its own each: of claims that hold by construction, yosys keeps one.
        shown = {
            unit: [self._shows(f"{unit}.{name}", source) for name, source in inputs.items()]
            for unit, inputs in WIRES.items()
        }
        claims = {**shown, **self._on_demand(), "stages": self._stages()}
        chosen = OneOf(len(claims), "unit")
        chosen.choose(self, m)
        for number, (name, conditions) in enumerate(claims.items()):
            with m.If(chosen.which == number):
                m.d.comb += self.claim(
                    name, Cat(conditions).all(), "What comes in is what it should be."
                )
        waits = self.port("array.sums_valid") & ~self.port("buffer.i_ready")
        m.d.comb += self.claim(
            "stands_still",
            implies(waits, ~self.port("issue.en")),
            "While a finished pass cannot be taken, nothing moves.",
        )

        m.d.comb += self.witness("multiplies", self.port("issue.o_valid") & self.port("issue.en"))
        return m

    def _shows(self, sink: str, source: str) -> Value:
        shown, given = (Value.cast(self.port(path)) for path in (sink, source))
        if len(given) > len(shown):
            given = given[: len(shown)]
            given = given.as_signed() if shown.shape().signed else given
        return shown == given

    def _on_demand(self) -> dict[str, list[Value]]:
        """What is read, and summed, for a beat of the right kind, and for no other."""
        port = self.port
        sink, kind = port("issue.fetch_beat.sink"), port("issue.fetch_beat.kind")
        vectors = {
            "x": (Sink.QKV, Sink.W13, Sink.CLS),
            "attention": (Sink.WO,),
            "hidden": (Sink.W2,),
        }
        used = port("issue.o_beat")
        first_word = (used.kind == Kind.VALUE) & (used.d == 0)
        sums = port("issue.o_valid") & port("issue.en") & first_word
        return {
            "vectors_fetched": [
                port(f"{vector}.fetch")
                == port("issue.fetch")
                & (kind == Kind.WEIGHT)
                & Cat(sink == each for each in sinks).any()
                for vector, sinks in vectors.items()
            ],
            "words_read": [
                port(f"cache.rd_start_{name}") == port("reads") & (port("words.kind") == kind)
                for name, kind in (("k", Kind.KEY), ("v", Kind.VALUE))
            ],
            "weights_summed": [
                port("softmax.add") == sums,
                implies(sums, port("softmax.add_first") == used.first),
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
