"""The proof tasks of what one unit promises to another: they pay for suppositions of others."""

from formal.harness import ranges, requests, score_pass, square_sum, tables
from formal.tasks.task import Task
from properties.ranges import ExponentInRange, ShiftsInRange
from properties.requests import IdleIsSilent
from properties.score_pass import ScoresBelowMaximum, SumIncludesTheMaximum
from properties.score_reads import ScoreOfItsBeat
from properties.square_sum import SquareSumHolds
from properties.tables import TableOfFactors, WeightsOfTheTable
from tools.planting import PlantedBug


def _leaves(operand: str, unit: str, function: str, when: str, left: str) -> PlantedBug:
    return PlantedBug(
        f"the {operand} stays on the port while nothing is asked for",
        f"design.{unit}",
        function,
        f"{when}: ...",
        f"m.d.comb += {left}\n{when}: ...",
    )


FRACTION_STAYS = _leaves(
    "fraction",
    "interpolate",
    "Interpolator.elaborate",
    "with m.If(valid)",
    "self.request.b.eq(fraction)",
)
#: What a client leaves on its port, for each client: how many ports it has, and the bug.
IDLE: dict[str, tuple[int, PlantedBug]] = {
    "writeback": (
        1,
        _leaves(
            "factor",
            "writeback",
            "Writeback._scale",
            "with m.If(valid)",
            "self.requests[0].b.eq(factor)",
        ),
    ),
    "residual": (
        1,
        _leaves(
            "last element",
            "residual",
            "Residual.elaborate",
            "with m.If(writing)",
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
            "Rope.elaborate",
            "for cycle, (port, element, factor) in zip(cycles, factors, strict=True)",
            "self.requests[0].a.eq(a)",
        ),
    ),
    "swiglu": (
        2,
        _leaves(
            "sigmoid",
            "swiglu",
            "SwiGlu.elaborate",
            "with m.If(gates.valid[-1])",
            "self.requests[1].b.eq(sigmoid_value)",
        ),
    ),
}


def _idle(client: str, ports: int, bug: PlantedBug) -> Task:
    return Task(
        id=f"requests.silent.{client}",
        family="arithmetic",
        theorem=IdleIsSilent,
        harness=requests.idle,
        arguments={"client": client},
        obligations=ports,
        bug=bug,
        # Nothing is remembered.
        depth=1,
        cover_depth=20,
        bug_depth=20,
    )


#: A table of factors that is too large somewhere, for each unit that holds one.
FACTORS: dict[str, PlantedBug] = {
    "norm": PlantedBug(
        "the table of inverse roots is nearly twice as large",
        "spec.tables",
        "rsqrt",
        "scale / math.sqrt(max(m, 1.0))",
        "1.99 * scale / math.sqrt(max(m, 1.0))",
    ),
    "reciprocals": PlantedBug(
        "the table of reciprocals is stretched by 1 in 10,000",
        "spec.tables",
        "reciprocal",
        "1.0 / m",
        "1.0001 / m",
    ),
    "swiglu": PlantedBug(
        "a sigmoid exceeds 1 by 1 in 1,000",
        "spec.tables",
        "sigmoid",
        "1.0 / (1.0 + math.exp(-u))",
        "1.001 / (1.0 + math.exp(-u))",
    ),
}
LESS_THAN_ONE = PlantedBug(
    "the weight of the maximum is 1 less than the greatest",
    "spec.tables",
    "exp2",
    "weight.max",
    "weight.max - 1",
)
SUM_GOES_ON = PlantedBug(
    "a sum of squares begins with the sum before",
    "design.residual",
    "Residual.elaborate",
    "new_row == 0",
    "(new_row == 0) & (self.source == Sink.EMBED)",
)
LEAST_KEPT = PlantedBug(
    "the least score is kept as the maximum",
    "design.softmax",
    "Softmax.elaborate",
    "score > maximum",
    "score < maximum",
)
NOT_READ_AGAIN = PlantedBug(
    "a score is read once, stored or not",
    "design.issue",
    "Issue.elaborate",
    "stays | ~waits | self.en",
    "~waits | (self.en & ~stays)",
)
HALVED = PlantedBug(
    "every weight is halved, that of the maximum, too",
    "design.softmax",
    "Softmax.elaborate",
    "Mux(whole > n.weight.width, n.weight.width, whole)",
    "Mux(whole >= n.weight.width, n.weight.width, whole + 1)",
)
BELOW_FLOOR = PlantedBug(
    "the exponent of a norm counts from one more than the least",
    "design.rmsnorm",
    "RmsNorm.elaborate",
    "e - derived.norm_floor",
    "e - derived.norm_floor - 1",
)
TOO_SOON = PlantedBug(
    "value sums leave two cycles before their shift is there",
    "design.reciprocals",
    "Reciprocals.elaborate",
    "Cat(running, valid)[ready] & (slots[ready] == enough)",
    "totals.complete",
)


def _factors(unit: str, bug: PlantedBug) -> Task:
    return Task(
        id=f"tables.factors.{unit}",
        family="arithmetic",
        theorem=TableOfFactors,
        harness=tables.factors,
        arguments={"unit": unit},
        obligations=1,
        bug=bug,
        depth=1,
        cover_depth=1,
        bug_depth=1,
    )


LEMMAS: tuple[Task, ...] = (
    *(_idle(client, *given) for client, given in IDLE.items()),
    *(_factors(unit, bug) for unit, bug in FACTORS.items()),
    Task(
        id="tables.exp2",
        family="arithmetic",
        theorem=WeightsOfTheTable,
        harness=tables.exp2,
        obligations=2,
        bug=LESS_THAN_ONE,
        depth=1,
        cover_depth=1,
        bug_depth=1,
    ),
    Task(
        id="arith.square_sum",
        family="arithmetic",
        theorem=SquareSumHolds,
        harness=square_sum.square_sum,
        obligations=9,
        bug=SUM_GOES_ON,
        depth=5,
        cover_depth=80,
        bug_depth=80,
    ),
    Task(
        id="softmax.score_of_its_beat",
        family="arithmetic",
        theorem=ScoreOfItsBeat,
        harness=score_pass.score_of_its_beat,
        obligations=6,
        bug=NOT_READ_AGAIN,
    ),
    Task(
        id="softmax.below_maximum",
        family="arithmetic",
        theorem=ScoresBelowMaximum,
        harness=score_pass.below_maximum,
        obligations=5,
        bug=LEAST_KEPT,
        engine="bitwuzla",
        cover_depth=20,
        bug_depth=20,
    ),
    Task(
        id="softmax.sum_includes_the_maximum",
        family="arithmetic",
        theorem=SumIncludesTheMaximum,
        harness=score_pass.sum_includes_the_maximum,
        obligations=9,
        bug=HALVED,
        engine="bitwuzla",
        cover_depth=20,
        bug_depth=20,
    ),
    Task(
        id="ranges.norm_exponent",
        family="arithmetic",
        theorem=ExponentInRange,
        harness=ranges.norm_exponent,
        obligations=3,
        bug=BELOW_FLOOR,
    ),
    Task(
        id="ranges.value_shift",
        family="arithmetic",
        theorem=ShiftsInRange,
        harness=ranges.value_shift,
        obligations=5,
        bug=TOO_SOON,
        depth=7,
        cover_depth=20,
        bug_depth=20,
    ),
)
