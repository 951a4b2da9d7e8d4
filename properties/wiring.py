"""What connects the units of the decoder: each port that data comes by shows what it should."""

from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from properties.dialect import OneOf, Theorem, implies

#: By unit, whose output each of its inputs shows in the same cycle. `decoder` is the whole;
#: `words` is the beat that a cache reads for, `row` the element that it is given to store.
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
    names, with every lane and slot in its place.

    `port` gives the value of a path, ``unit.port`` or ``unit.port.field``. An input that is
    narrower than what it shows has its low bits. About any unit. Obligations: 1, and one for each.
    """

    def __init__(self, port: Callable[[str], Any]):
        self.port = port

    def elaborate(self, platform):
        m = Module()
        # Under a condition of its own each: of claims that hold by construction, yosys keeps one.
        chosen = OneOf(len(WIRES), "unit")
        chosen.choose(self, m)
        for number, (unit, inputs) in enumerate(WIRES.items()):
            same = [self._shows(f"{unit}.{name}", source) for name, source in inputs.items()]
            with m.If(chosen.which == number):
                # The inputs of the unit show what they should.
                m.d.comb += self.claim(unit, Cat(same).all())
        waits = self.port("array.sums_valid") & ~self.port("buffer.i_ready")
        # While a finished pass cannot be taken, nothing moves.
        m.d.comb += self.claim("stands_still", implies(waits, ~self.port("issue.en")))

        m.d.comb += self.witness("multiplies", self.port("issue.o_valid") & self.port("issue.en"))
        return m

    def _shows(self, sink: str, source: str) -> Value:
        shown, given = (Value.cast(self.port(path)) for path in (sink, source))
        if len(given) > len(shown):
            given = given[: len(shown)]
            given = given.as_signed() if shown.shape().signed else given
        return shown == given
