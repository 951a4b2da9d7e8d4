"""Which of what was read each lane and slot multiplies."""

from typing import Any

from amaranth import *
from amaranth.utils import exact_log2

from design.beat import Kind, Sink
from properties.dialect import OneOf, Theorem, implies
from spec.config import Config
from spec.derived import derive


class OperandsRouted(Theorem):
    """Each lane gets the weight of its own, or its element of the word that its slot read, and 0
    beyond the word; each slot what the beat multiplies by: of its own query or softmax weight, or
    of the vector that the projection reads.

    `issue` has the signature of `design.issue.Issue`; `lane` is any, and its slot is that of the
    claims.
    """

    def __init__(self, config: Config, issue: Any, *, lane: OneOf):
        self.config = config
        self.issue = issue
        self.lane = lane

    def describe(self, m: Module) -> None:
        issue, derived, beat = self.issue, derive(self.config), self.issue.o.p.beat
        self.lane.choose(self)
        lane = self.lane.which
        bits = exact_log2(derived.per_slot)
        slot, element = lane >> bits, lane & (derived.per_slot - 1)

        def of_slot(each: Any) -> Value:
            return Array(each[n] for n in range(derived.slots))[slot]

        a = self.lane.of(issue.o.p.a[n] for n in range(self.lane.size))
        b, exponent = of_slot(issue.o.p.b), of_slot(issue.o.p.exponents)

        def is_plain(value: Value | int) -> Value:
            return (b == value) & (exponent == 0)

        def is_operand(operand: Any) -> Value:
            return (b == operand.mantissa) & (exponent == operand.exponent)

        kind, sink = beat.kind, beat.sink
        of_stream = (kind == Kind.HEADER) | (kind == Kind.WEIGHT)
        weight = self.lane.of(issue.i_weights.payload[n] for n in range(self.lane.size))
        # What the stream brings goes to the lane that it is for.
        self._claim("stream", of_stream, a == weight)
        tensors = (
            ("key", Kind.KEY, issue.keys, derived.k_word),
            ("value", Kind.VALUE, issue.values, derived.v_word),
        )
        for name, reads, words, length in tensors:
            word = Array(Value.cast(words[n]) for n in range(derived.slots))[slot]
            width = derived.kv_width
            in_word = word.word_select(element[: exact_log2(length)], width).as_signed()
            expected = Mux(element < length, in_word, 0)
            # Of the word of its slot, the lane gets its element; beyond the word, nothing.
            self._claim(name, kind == reads, a == expected)

        # Shifts pass unchanged.
        self._claim("header", kind == Kind.HEADER, is_plain(1))
        projects = kind == Kind.WEIGHT
        # An embedding is multiplied by one.
        self._claim("embedding", projects & (sink == Sink.EMBED), is_plain(derived.one))
        # The output projection reads what attention wrote, and the second of SwiGLU its product.
        self._claim("attention", projects & (sink == Sink.WO), is_plain(issue.attention))
        self._claim("hidden", projects & (sink == Sink.W2), is_operand(issue.hidden))
        normed = Cat(sink == each for each in (Sink.QKV, Sink.W13, Sink.CLS)).any()
        # What is read right of the middle is for the upper half of the lanes.
        upper = (lane >= self.lane.size // 2) & (derived.slots > 1)
        of_half = Mux(upper, is_operand(issue.residual_right), is_operand(issue.residual))
        self._claim("residual", projects & normed, of_half)
        # A key is multiplied by the query of its slot.
        self._claim("query", kind == Kind.KEY, is_plain(of_slot(issue.queries)))
        # A value is multiplied by the softmax weight of its slot.
        self._claim("softmax_weight", kind == Kind.VALUE, is_plain(of_slot(issue.weights)))

        last = issue.o.valid & (lane == self.lane.size - 1)
        self.witness("key_read", last & (kind == Kind.KEY) & (b > 1))
        self.witness("value_read", last & (kind == Kind.VALUE) & (b > 1))
        self.witness("weight_read", last & projects & (a > 1))

    def _claim(self, name: str, when: Value, condition: Value) -> None:
        self.claim(
            name,
            implies(self.issue.o.valid & when, condition),
            "A beat meets what it multiplies as it leaves.",
        )
