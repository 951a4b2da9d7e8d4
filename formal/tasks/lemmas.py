"""The proof tasks of lemmas about single units, which pay for suppositions of others."""

from functools import partial

from formal.harness import ranges, requests, score_pass, square_sum, tables
from formal.tasks.task import Task
from properties.ranges import ExponentInRange, ShiftsInRange
from properties.requests import IdleIsSilent
from properties.score_pass import ScoresBelowMaximum, SumIncludesTheMaximum
from properties.score_reads import ScoreOfItsBeat
from properties.square_sum import SquareSumHolds
from properties.tables import TableOfFactors, WeightsOfTheTable
from tools.planting import PlantedBug

_task = partial(Task, family="arithmetic")


def _silent(client: str, ports: int, bug: PlantedBug) -> Task:
    # Nothing is remembered.
    return _task(
        f"requests.silent.{client}", IdleIsSilent, requests.idle, bug, arguments={"client": client},
        obligations=ports, depth=1, cover_depth=20, bug_depth=20,
    )  # fmt: skip


def _left(operand: str, unit: str, function: str, when: str, left: str) -> PlantedBug:
    return PlantedBug(
        f"the {operand} stays on the port while nothing is asked for",
        f"design.{unit}", function, f"{when}: ...", f"m.d.comb += {left}\n{when}: ...",
    )  # fmt: skip


_FRACTION_LEFT = _left(
    "fraction", "interpolate", "Interpolator.elaborate", "with m.If(valid)",
    "self.request.b.eq(fraction)",
)  # fmt: skip


def _factors(unit: str, name: str, node: str, replacement: str) -> Task:
    """The bug makes a factor of the table of `unit` too large somewhere."""
    function = {"norm": "rsqrt", "reciprocals": "reciprocal", "swiglu": "sigmoid"}[unit]
    bug = PlantedBug(name, "spec.tables", function, node, replacement)
    return _task(
        f"tables.factors.{unit}", TableOfFactors, tables.factors, bug, arguments={"unit": unit},
        obligations=1, depth=1, cover_depth=1, bug_depth=1,
    )  # fmt: skip


LEMMAS: tuple[Task, ...] = (
    _silent("writeback", 1, _left("factor", "writeback", "Writeback._scale",
        "with m.If(valid)", "self.requests[0].b.eq(factor)")),
    _silent("residual", 1, _left("last element", "residual", "Residual.elaborate",
        "with m.If(writing)", "self.requests[0].a.eq(new)")),
    _silent("rmsnorm", 1, _FRACTION_LEFT),
    _silent("reciprocals", 1, _FRACTION_LEFT),
    _silent("rope", 2, _left("first of a pair", "rope", "Rope.elaborate",
        "for cycle, (port, element, factor) in zip(cycles, factors, strict=True)",
        "self.requests[0].a.eq(a)")),
    _silent("swiglu", 2, _left("sigmoid", "swiglu", "SwiGlu.elaborate",
        "with m.If(gates.valid[-1])", "self.requests[1].b.eq(sigmoid_value)")),
    _factors("norm", "the table of inverse roots is nearly twice as large",
        "scale / math.sqrt(max(m, 1.0))", "1.99 * scale / math.sqrt(max(m, 1.0))"),
    _factors("reciprocals", "the table of reciprocals is stretched by 1 in 10,000",
        "1.0 / m", "1.0001 / m"),
    _factors("swiglu", "a sigmoid exceeds 1 by 1 in 1,000",
        "1.0 / (1.0 + math.exp(-u))", "1.001 / (1.0 + math.exp(-u))"),
    _task("tables.exp2", WeightsOfTheTable, tables.exp2, obligations=2, depth=1, cover_depth=1,
        bug_depth=1, bug=PlantedBug(
            "the weight of the maximum is 1 less than the greatest",
            "spec.tables", "exp2", "weight.max", "weight.max - 1")),
    _task("arith.square_sum", SquareSumHolds, square_sum.square_sum, obligations=9, depth=5,
        cover_depth=80, bug_depth=80, bug=PlantedBug(
            "a sum of squares begins with the sum before",
            "design.residual", "Residual.elaborate", "new_row == 0",
            "(new_row == 0) & (self.source == Sink.EMBED)")),
    _task("softmax.score_of_its_beat", ScoreOfItsBeat, score_pass.score_of_its_beat, obligations=6,
        bug=PlantedBug(
            "a score is read once, stored or not",
            "design.issue", "Issue.elaborate", "stays | ~waits | self.en",
            "~waits | (self.en & ~stays)")),
    _task("softmax.below_maximum", ScoresBelowMaximum, score_pass.below_maximum, obligations=5,
        engine="bitwuzla", cover_depth=20, bug_depth=20, bug=PlantedBug(
            "the least score is kept as the maximum",
            "design.softmax", "Softmax.elaborate", "score > maximum", "score < maximum")),
    _task("softmax.sum_includes_the_maximum", SumIncludesTheMaximum,
        score_pass.sum_includes_the_maximum, obligations=9, engine="bitwuzla", cover_depth=20,
        bug_depth=20, bug=PlantedBug(
            "every weight is halved, that of the maximum, too",
            "design.softmax", "Softmax.elaborate",
            "Mux(whole > n.weight.width, n.weight.width, whole)",
            "Mux(whole >= n.weight.width, n.weight.width, whole + 1)")),
    _task("ranges.norm_exponent", ExponentInRange, ranges.norm_exponent, obligations=3,
        bug=PlantedBug(
            "the exponent of a norm counts from one more than the least",
            "design.rmsnorm", "RmsNorm.elaborate", "e - derived.norm_floor",
            "e - derived.norm_floor - 1")),
    _task("ranges.value_shift", ShiftsInRange, ranges.value_shift, obligations=5, depth=7,
        cover_depth=20, bug_depth=20, bug=PlantedBug(
            "value sums leave two cycles before their shift is there",
            "design.reciprocals", "Reciprocals.elaborate",
            "Cat(running, valid)[ready] & (slots[ready] == enough)", "totals.complete")),
)  # fmt: skip
