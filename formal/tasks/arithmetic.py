"""The proof tasks of the arithmetic: each unit beside golden's own lines."""

from typing import Any

from design.beat import Sink
from formal.harness import accumulators, arithmetic, units, writeback
from formal.tasks.task import NAMED, Task
from properties import golden
from properties.accumulator import (
    AccumulatesExactly,
    EachLaneMultiplies,
    MultipliesWithinBound,
)
from properties.array_sums import SumsOfAPass
from properties.beat_order import PassesInOrder
from properties.maximum import RunningMaximum
from properties.scores import ScoresKept
from properties.softmax_sum import WeightsSumToOne
from tools.planting import PlantedBug

ROUNDS_UP = PlantedBug(
    "a tie goes up even where it should go to even",
    "design.requantize",
    "_halves",
    "half & (below | kept[0])",
    "half",
)
NO_EXPONENT = PlantedBug(
    "the exponent of the norm is not added to the shift",
    "design.writeback",
    "Writeback._round_sum",
    "raw.shift + self.norm_exponent",
    "raw.shift",
)
SIGNLESS = PlantedBug(
    "operands are taken without their sign",
    "design.scalar",
    "ScalarMultiplier.__init__",
    "self.a = Signal(signed(SCALAR_BITS))",
    "self.a = Signal(SCALAR_BITS)",
)
WRONG_POINT = PlantedBug(
    "a result is shifted by one too few",
    "design.writeback",
    "Writeback._scale",
    "shift_guarded(guard(total), TABLE_FRACTION)",
    "shift_guarded(guard(total), TABLE_FRACTION - 1)",
)
SHIFTED = PlantedBug(
    "a shift is that of the sum before",
    "design.reciprocals",
    "Reciprocals.elaborate",
    "taken[known].exponent",
    "taken[known + 1].exponent",
)
TRUNCATED = PlantedBug(
    "silu is truncated",
    "design.swiglu",
    "SwiGlu.elaborate",
    "requantize(self.products[1], silu_shift, n.silu, n.rounding)",
    "requantize(self.products[1], silu_shift, n.silu, type(n.rounding).TRUNCATE)",
)
ODD_EXPONENT = PlantedBug(
    "the exponent of a norm is off by one where the leading bit is odd",
    "design.rmsnorm",
    "RmsNorm.elaborate",
    "exponent_of(self.square_sum)",
    "(exponent_of(self.square_sum) + 1)",
)
WRONG_SIGN = PlantedBug(
    "both halves of a pair are sums",
    "design.rope",
    "Rope.elaborate",
    "Mux(turn_second, p0 + p1, p0 - p1)",
    "p0 + p1",
)
NARROW = PlantedBug(
    "an accumulator has half its bits",
    "design.array",
    "MultiplierArray.__init__",
    'Signal(signed(derived.acc_width), name=f"sum_{lane}")',
    'Signal(signed(derived.acc_width // 2), name=f"sum_{lane}")',
)
HALF_SIGNLESS = PlantedBug(
    "an operand of a lane is taken without its sign",
    "design.array",
    "MultiplierArray.__init__",
    'Signal(a, name=f"a_{lane}")',
    'Signal(a.width, name=f"a_{lane}")',
)
TWICE = PlantedBug(
    "a product is twice as great",
    "design.array",
    "MultiplierArray.multiplied",
    "self.lane_a[lane] * self.slot_b[lane // derive(self.config).per_slot]",
    "self.lane_a[lane] * self.slot_b[lane // derive(self.config).per_slot] << 1",
)
NOT_CLEARED = PlantedBug(
    "a pass goes on from the sums of the one before",
    "design.array",
    "MultiplierArray.elaborate",
    "Mux(product_beat.first, 0, total)",
    "total",
)
TAKEN_AGAIN = PlantedBug(
    "while the array stands still, sums that were taken are offered again",
    "design.array",
    "MultiplierArray.elaborate",
    "self.o.ready",
    "0",
)
ALL_OCTAVES = PlantedBug(
    "the second shift repeats the first",
    "design.softmax",
    "Softmax.elaborate",
    "octaves - Cat(C(0, 2), fours)",
    "octaves",
)
OLD_SCORE = PlantedBug(
    "a score that is read as it is stored is the old one",
    "design.softmax",
    "Softmax.__init__",
    "memory.read_port(transparent_for=(write,))",
    "memory.read_port()",
)
WRAPS = PlantedBug(
    "the residual wraps",
    "design.residual",
    "Residual.elaborate",
    "saturate(old + result.value, form)",
    "old + result.value",
)
NEVER_CLEARED = PlantedBug(
    "a sum of weights begins with the one before",
    "design.softmax",
    "Softmax.elaborate",
    "Mux(adds.p.first, 0, totals.sums[slot])",
    "totals.sums[slot]",
)
NO_EPSILON = PlantedBug(
    "a sum of squares begins with nothing",
    "design.residual",
    "Residual.elaborate",
    "derived.epsilon",
    "0",
)
LEAST = PlantedBug(
    "the least score is kept",
    "design.softmax",
    "Softmax.elaborate",
    "score > maximum",
    "score < maximum",
)
STRETCHED = PlantedBug(
    "the table of reciprocals is stretched by 1 in 10,000",
    "spec.tables",
    "reciprocal",
    "1.0 / m",
    "1.0001 / m",
)
#: W13 and the classifier multiply what QKV does.
LANE_SINKS: tuple[Any, ...] = (Sink.QKV, Sink.WO, Sink.W2, Sink.SCORE, Sink.VALUE)
#: About a lane that the solver chooses; of 64, yices takes over a minute.
ANY_LANE: dict[str, Any] = {
    "search": {"lane": -1},
    "engine": "bitwuzla",
    "depth": 1,
    "at": {"stories260k@64": {"confirm_timeout": 300}},
}


def _golden(id: str, theorem: Any, harness: Any, bug: PlantedBug, **more: Any) -> Task:
    return Task(
        id=f"arith.{id}",
        family="arithmetic",
        theorem=theorem,
        harness=harness,
        bug=bug,
        **more,
    )


def _sum(id: str, harness: Any, bug: PlantedBug, **more: Any) -> Task:
    return _golden(f"sum.{id}", AccumulatesExactly, harness, bug, obligations=2, **more)


ARITHMETIC: tuple[Task, ...] = (
    _golden("requantize.constant", golden.Requantizes, arithmetic.requantized, ROUNDS_UP,
        arguments={"by_header": False}, obligations=3, depth=1),
    _golden("requantize.row", golden.Requantizes, arithmetic.requantized, ROUNDS_UP,
        arguments={"by_header": True}, obligations=3, engine="bitwuzla", depth=1),
    _golden("multiply", golden.Multiplies, arithmetic.multiplies, SIGNLESS, obligations=9, depth=3),
    _golden(
        "writeback_sum", golden.RoundsSums, writeback.sums_rounded, NO_EXPONENT, obligations=2,
        engine="bitwuzla", confirm="yices-gates", depth=3,
    ),
    _golden(
        "writeback_scale", golden.ScalesSums, writeback.sums_scaled, WRONG_POINT, obligations=1,
        depth=4,
    ),
    _golden("norm", golden.FindsNorm, units.norm_found, ODD_EXPONENT, obligations=4, depth=6),
    _golden("scores", ScoresKept, units.score_kept, OLD_SCORE, obligations=4),
    _golden("weights", golden.Weighs, units.weights_found, ALL_OCTAVES, obligations=4),
    _golden("residual", golden.AddsUp, units.residual_added, WRAPS, obligations=1, depth=3),
    _golden("reciprocals", golden.FindsReciprocals, units.reciprocals_found, SHIFTED,
        obligations=4, depth=7, cover_depth=20),
    _golden("swiglu", golden.Gates, units.gates, TRUNCATED, obligations=5, depth=8,
        cover_depth=20, bug_depth=20),
    _golden("rope", golden.TurnsPairs, units.pairs_turned, WRONG_SIGN, obligations=8, depth=10,
        cover_depth=20, bug_depth=20),
    _golden("lanes", EachLaneMultiplies, accumulators.lanes_multiply, HALF_SIGNLESS,
        obligations=2, depth=1),
    _golden("lane", MultipliesWithinBound, accumulators.lane_product, TWICE,
        obligations=5, engine="bitwuzla", depth=1, unconfirmed="yices: over 60 s for the bounds"),
    *(
        _sum(sink.name.lower(), accumulators.lane_sum, NARROW, arguments={"sink": sink}, **ANY_LANE)
        for sink in LANE_SINKS
    ),
    _golden("array_sums", SumsOfAPass, accumulators.array_sums, NOT_CLEARED, obligations=7,
        **ANY_LANE),
    _golden("array_order", PassesInOrder, accumulators.array_order, TAKEN_AGAIN, obligations=4),
    _sum("softmax", accumulators.weight_sum, NEVER_CLEARED),
    _sum("squares", accumulators.square_sum, NO_EPSILON),
    _golden("maximum", RunningMaximum, accumulators.running_maximum, LEAST, obligations=3),
    # Every sum is visited: 2^18 of them, and 2^24.
    Task(
        id="softmax.adds_up_to_one", family="arithmetic", theorem=WeightsSumToOne,
        harness=units.weights_sum, obligations=2, bug=STRETCHED, engine="explore",
        domain=NAMED,
    ),
)  # fmt: skip
