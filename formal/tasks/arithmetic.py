"""The proof tasks of the arithmetic: each unit beside golden's own lines."""

from functools import partial
from typing import Any

from design.beat import Sink
from formal.harness import accumulators, arithmetic, units, writeback
from formal.tasks.task import NAMED, Task
from properties import golden
from properties.accumulator import AccumulatesExactly, EachLaneMultiplies, MultipliesWithinBound
from properties.array_sums import SumsOfAPass
from properties.beat_order import PassesInOrder
from properties.maximum import RunningMaximum
from properties.scores import ScoresKept
from properties.softmax_sum import WeightsSumToOne
from tools.planting import PlantedBug

_task = partial(Task, family="arithmetic")
_ROUNDS_UP = PlantedBug(
    "a tie goes up even where it should go to even",
    "design.requantize", "_halves", "half & (below | kept[0])", "half",
)  # fmt: skip
#: W13 and the classifier multiply what QKV does.
LANE_SINKS: tuple[Any, ...] = (Sink.QKV, Sink.WO, Sink.W2, Sink.SCORE, Sink.VALUE)
#: About a lane that the solver chooses; of 64, yices takes over a minute.
ANY_LANE: dict[str, Any] = {
    "search": {"lane": -1},
    "engine": "bitwuzla",
    "depth": 1,
    "at": {"stories260k@64": {"confirm_timeout": 300}},
}

ARITHMETIC: tuple[Task, ...] = (
    _task("arith.requantize.constant", golden.Requantizes, arithmetic.requantized, _ROUNDS_UP,
        arguments={"by_header": False}, obligations=3, depth=1),
    _task("arith.requantize.row", golden.Requantizes, arithmetic.requantized, _ROUNDS_UP,
        arguments={"by_header": True}, obligations=3, engine="bitwuzla", depth=1),
    _task("arith.multiply", golden.Multiplies, arithmetic.multiplies, obligations=9, depth=3,
        bug=PlantedBug(
            "operands are taken without their sign",
            "design.scalar", "ScalarMultiplier.__init__", "self.a = Signal(signed(SCALAR_BITS))",
            "self.a = Signal(SCALAR_BITS)")),
    _task("arith.writeback_sum", golden.RoundsSums, writeback.sums_rounded, obligations=2,
        engine="bitwuzla", confirm="yices-gates", depth=3, bug=PlantedBug(
            "the exponent of the norm is not added to the shift",
            "design.writeback", "Writeback._round_sum", "raw.shift + self.norm_exponent",
            "raw.shift")),
    _task("arith.writeback_scale", golden.ScalesSums, writeback.sums_scaled, obligations=1, depth=4,
        bug=PlantedBug(
            "a result is shifted by one too few",
            "design.writeback", "Writeback._scale", "shift_guarded(guard(total), TABLE_FRACTION)",
            "shift_guarded(guard(total), TABLE_FRACTION - 1)")),
    _task("arith.norm", golden.FindsNorm, units.norm_found, obligations=4, depth=6, bug=PlantedBug(
        "the exponent of a norm is off by one where the leading bit is odd",
        "design.rmsnorm", "RmsNorm.elaborate", "exponent_of(self.square_sum)",
        "(exponent_of(self.square_sum) + 1)")),
    _task("arith.scores", ScoresKept, units.score_kept, obligations=4, bug=PlantedBug(
        "a score that is read as it is stored is the old one",
        "design.softmax", "Softmax.__init__", "memory.read_port(transparent_for=(write,))",
        "memory.read_port()")),
    _task("arith.weights", golden.Weighs, units.weights_found, obligations=4, bug=PlantedBug(
        "the second shift repeats the first",
        "design.softmax", "Softmax.elaborate", "octaves - Cat(C(0, 2), fours)", "octaves")),
    _task("arith.residual", golden.AddsUp, units.residual_added, obligations=1, depth=3,
        bug=PlantedBug(
            "the residual wraps",
            "design.residual", "Residual.elaborate", "saturate(old + result.value, form)",
            "old + result.value")),
    _task("arith.reciprocals", golden.FindsReciprocals, units.reciprocals_found, obligations=4,
        depth=7, cover_depth=20, bug=PlantedBug(
            "a shift is that of the sum before",
            "design.reciprocals", "Reciprocals.elaborate", "taken[known].exponent",
            "taken[known + 1].exponent")),
    _task("arith.swiglu", golden.Gates, units.gates, obligations=5, depth=8, cover_depth=20,
        bug_depth=20, bug=PlantedBug(
            "silu is truncated",
            "design.swiglu", "SwiGlu.elaborate",
            "requantize(self.products[1], silu_shift, n.silu, n.rounding)",
            "requantize(self.products[1], silu_shift, n.silu, type(n.rounding).TRUNCATE)")),
    _task("arith.rope", golden.TurnsPairs, units.pairs_turned, obligations=8, depth=10,
        cover_depth=20, bug_depth=20, bug=PlantedBug(
            "both halves of a pair are sums",
            "design.rope", "Rope.elaborate", "Mux(turn_second, p0 + p1, p0 - p1)", "p0 + p1")),
    _task("arith.lanes", EachLaneMultiplies, accumulators.lanes_multiply, obligations=2, depth=1,
        bug=PlantedBug(
            "an operand of a lane is taken without its sign",
            "design.array", "MultiplierArray.__init__", 'Signal(a, name=f"a_{lane}")',
            'Signal(a.width, name=f"a_{lane}")')),
    _task("arith.lane", MultipliesWithinBound, accumulators.lane_product, obligations=5,
        engine="bitwuzla", depth=1, unconfirmed="yices: over 60 s for the bounds", bug=PlantedBug(
            "a product is twice as great",
            "design.array", "MultiplierArray.multiplied",
            "self.lane_a[lane] * self.slot_b[lane // derive(self.config).per_slot]",
            "self.lane_a[lane] * self.slot_b[lane // derive(self.config).per_slot] << 1")),
    *(
        _task(f"arith.sum.{sink.name.lower()}", AccumulatesExactly, accumulators.lane_sum,
            arguments={"sink": sink}, obligations=2, **ANY_LANE, bug=PlantedBug(
                "an accumulator has half its bits",
                "design.array", "MultiplierArray.__init__",
                'Signal(signed(derived.acc_width), name=f"sum_{lane}")',
                'Signal(signed(derived.acc_width // 2), name=f"sum_{lane}")'))
        for sink in LANE_SINKS
    ),
    _task("arith.array_sums", SumsOfAPass, accumulators.array_sums, obligations=7, **ANY_LANE,
        bug=PlantedBug(
            "a pass goes on from the sums of the one before",
            "design.array", "MultiplierArray.elaborate", "Mux(product_beat.first, 0, total)",
            "total")),
    _task("arith.array_order", PassesInOrder, accumulators.array_order, obligations=4,
        bug=PlantedBug(
            "while the array stands still, sums that were taken are offered again",
            "design.array", "MultiplierArray.elaborate", "self.o.ready", "0")),
    _task("arith.sum.softmax", AccumulatesExactly, accumulators.weight_sum, obligations=2,
        bug=PlantedBug(
            "a sum of weights begins with the one before",
            "design.softmax", "Softmax.elaborate", "Mux(adds.p.first, 0, totals.sums[slot])",
            "totals.sums[slot]")),
    _task("arith.sum.squares", AccumulatesExactly, accumulators.square_sum, obligations=2,
        bug=PlantedBug(
            "a sum of squares begins with nothing",
            "design.residual", "Residual.elaborate", "derived.epsilon", "0")),
    _task("arith.maximum", RunningMaximum, accumulators.running_maximum, obligations=3,
        bug=PlantedBug(
            "the least score is kept",
            "design.softmax", "Softmax.elaborate", "score > maximum", "score < maximum")),
    # Every sum is enumerated: 2^18 of them, and 2^24.
    _task("softmax.adds_up_to_one", WeightsSumToOne, units.weights_sum, obligations=2,
        engine="explore", domain=NAMED, bug=PlantedBug(
            "the table of reciprocals is stretched by 1 in 10,000",
            "spec.tables", "reciprocal", "1.0 / m", "1.0001 / m")),
)  # fmt: skip
