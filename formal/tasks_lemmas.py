"""The proof tasks of what one unit promises to another: they pay for suppositions of others."""

from formal.canary import Canary
from formal.harness import ranges, requests, score_pass, square_sum, tables
from formal.task import Task
from properties.ranges import ExponentInRange, ShiftsInRange
from properties.requests import IdleIsSilent
from properties.score_pass import ScoresBelowMaximum, SumIncludesTheMaximum
from properties.score_reads import ScoreOfItsBeat
from properties.square_sum import SquareSumHolds
from properties.tables import TableOfFactors, WeightsOfTheTable


def _leaves(operand: str, client: str, asks: str, left: str) -> Canary:
    return Canary(
        f"the {operand} stays on the port while nothing is asked for",
        f"design.{client}",
        asks,
        f"m.d.comb += {left}\n        {asks}",
    )


FRACTION_STAYS = _leaves(
    "fraction",
    "interpolate",
    "with m.If(valid):\n            m.d.comb += ask(",
    "self.request.b.eq(fraction)",
)
#: What a client leaves on its port, for each client: how many ports it has, and the bug.
IDLE: dict[str, tuple[int, Canary]] = {
    "writeback": (
        1,
        _leaves(
            "factor",
            "writeback",
            "with m.If(valid):\n            m.d.comb += ask(",
            "self.requests[0].b.eq(factor)",
        ),
    ),
    "residual": (
        1,
        _leaves(
            "last element",
            "residual",
            "with m.If(writing):\n            m.d.comb += ask(",
            "self.requests[0].a.eq(new)",
        ),
    ),
    "rmsnorm": (1, FRACTION_STAYS),
    "reciprocals": (1, FRACTION_STAYS),
    "rope": (
        2,
        _leaves(
            "first of a pair",
            "rope",
            "for cycle, (port, element, factor) in zip(",
            "self.requests[0].a.eq(a)",
        ),
    ),
    "swiglu": (
        2,
        _leaves(
            "sigmoid",
            "swiglu",
            "with m.If(gate_valid[-1]):\n            m.d.comb += ask(",
            "self.requests[1].b.eq(sigmoid_value)",
        ),
    ),
}


def _idle(client: str, ports: int, canary: Canary) -> Task:
    return Task(
        id=f"requests.silent.{client}",
        family="arithmetic",
        theorem=IdleIsSilent,
        harness=requests.idle,
        arguments={"client": client},
        obligations=ports,
        canary=canary,
        # Nothing is remembered.
        depth=1,
        cover_depth=20,
        canary_depth=20,
    )


#: A table of factors that is too large somewhere, for each unit that holds one.
FACTORS: dict[str, Canary] = {
    "norm": Canary(
        "the table of inverse roots is nearly twice as large",
        "spec.tables",
        "lambda m: scale / math.sqrt(max(m, 1.0))",
        "lambda m: 1.99 * scale / math.sqrt(max(m, 1.0))",
    ),
    "reciprocals": Canary(
        "the table of reciprocals is stretched by 1 in 10,000",
        "spec.tables",
        "lambda m: 1.0 / m, 1.0, 2.0",
        "lambda m: 1.0001 / m, 1.0, 2.0",
    ),
    "swiglu": Canary(
        "a sigmoid exceeds 1 by 1 in 1,000",
        "spec.tables",
        "lambda u: 1.0 / (1.0 + math.exp(-u))",
        "lambda u: 1.001 / (1.0 + math.exp(-u))",
    ),
}
LESS_THAN_ONE = Canary(
    "the weight of the maximum is 1 less than the greatest",
    "spec.tables",
    "min(weight.max, round(",
    "min(weight.max - 1, round(",
)
SUM_GOES_ON = Canary(
    "a sum of squares begins with the sum before",
    "design.residual",
    "squared_first.eq(Cat(new_row == 0, squared_first))",
    "squared_first.eq(Cat((new_row == 0) & (self.source == Sink.EMBED), squared_first))",
)
LEAST_KEPT = Canary(
    "the least score is kept as the maximum",
    "design.softmax",
    "score > maximum",
    "score < maximum",
)
NOT_READ_AGAIN = Canary(
    "a score is read once, stored or not",
    "design.issue",
    "self.next_t_en.eq(stays | ~waits | self.en)",
    "self.next_t_en.eq(~waits | (self.en & ~stays))",
)
HALVED = Canary(
    "every weight is halved, that of the maximum, too",
    "design.softmax",
    "Mux(whole > n.weight.width, n.weight.width, whole)",
    "Mux(whole >= n.weight.width, n.weight.width, whole + 1)",
)
BELOW_FLOOR = Canary(
    "the exponent of a norm counts from one more than the least",
    "design.rmsnorm",
    "self.exponent.eq(e - derived.norm_floor)",
    "self.exponent.eq(e - derived.norm_floor - 1)",
)
TOO_SOON = Canary(
    "value sums leave two cycles before their shift is there",
    "design.reciprocals",
    "valid[-4] & (slots[-4] == enough)",
    "self.start",
)


def _factors(unit: str, canary: Canary) -> Task:
    return Task(
        id=f"tables.factors.{unit}",
        family="arithmetic",
        theorem=TableOfFactors,
        harness=tables.factors,
        arguments={"unit": unit},
        obligations=1,
        canary=canary,
        depth=1,
        cover_depth=1,
        canary_depth=1,
    )


LEMMAS: tuple[Task, ...] = (
    *(_idle(client, *given) for client, given in IDLE.items()),
    *(_factors(unit, canary) for unit, canary in FACTORS.items()),
    Task(
        id="tables.exp2",
        family="arithmetic",
        theorem=WeightsOfTheTable,
        harness=tables.exp2,
        obligations=2,
        canary=LESS_THAN_ONE,
        depth=1,
        cover_depth=1,
        canary_depth=1,
    ),
    Task(
        id="arith.square_sum",
        family="arithmetic",
        theorem=SquareSumHolds,
        harness=square_sum.square_sum,
        obligations=9,
        canary=SUM_GOES_ON,
        depth=5,
        cover_depth=80,
        canary_depth=80,
    ),
    Task(
        id="softmax.score_of_its_beat",
        family="arithmetic",
        theorem=ScoreOfItsBeat,
        harness=score_pass.score_of_its_beat,
        obligations=6,
        canary=NOT_READ_AGAIN,
    ),
    Task(
        id="softmax.below_maximum",
        family="arithmetic",
        theorem=ScoresBelowMaximum,
        harness=score_pass.below_maximum,
        obligations=5,
        canary=LEAST_KEPT,
        engine="bitwuzla",
        cover_depth=20,
        canary_depth=20,
    ),
    Task(
        id="softmax.sum_includes_the_maximum",
        family="arithmetic",
        theorem=SumIncludesTheMaximum,
        harness=score_pass.sum_includes_the_maximum,
        obligations=9,
        canary=HALVED,
        engine="bitwuzla",
        cover_depth=20,
        canary_depth=20,
    ),
    Task(
        id="ranges.norm_exponent",
        family="arithmetic",
        theorem=ExponentInRange,
        harness=ranges.norm_exponent,
        obligations=3,
        canary=BELOW_FLOOR,
    ),
    Task(
        id="ranges.value_shift",
        family="arithmetic",
        theorem=ShiftsInRange,
        harness=ranges.value_shift,
        obligations=5,
        canary=TOO_SOON,
        depth=7,
        cover_depth=20,
        canary_depth=20,
    ),
)
