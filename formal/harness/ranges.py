"""Models of the units that say how far the writeback shifts."""

from amaranth import *

from design.arith import pick
from design.reciprocals import Reciprocals
from design.rmsnorm import RmsNorm
from formal.model import Model
from properties.ranges import ExponentInRange, ShiftsInRange
from spec.config import Config
from spec.derived import derive


def norm_exponents(config: Config) -> range:
    """What may add to the shift of a row behind a norm."""
    derived = derive(config)
    return range(derived.square_sum_width // 2 - derived.norm_floor)


def value_shifts(config: Config) -> range:
    """How far a value sum may be shifted: the exponent of its sum of weights, and a constant."""
    derived, n = derive(config), config.numerics
    rebase = n.v.f - n.attention.f + derived.lead
    return range(n.weight.f - 1 + rebase, derived.softmax_sum_width + rebase)


def norm_exponent(config: Config) -> Model:
    derived = derive(config)
    dut = RmsNorm(config)
    theorem = ExponentInRange(
        dut,
        epsilon=derived.epsilon,
        exponents=len(norm_exponents(config)),
        floor=derived.norm_floor,
        e=dut.e,
    )
    return Model(dut, theorem)


def value_shift(config: Config) -> Model:
    n, derived = config.numerics, derive(config)
    dut = Reciprocals(config)
    rebase = n.v.f - n.attention.f + derived.lead
    theorem = ShiftsInRange(
        dut,
        shifts=value_shifts(config),
        least=n.weight.max,
        running=dut.running,
        taken=dut.slot,
        total=pick(dut.totals.sums, dut.slot),
        valid=dut.taken.valid,
        slot_of=[each.slot for each in dut.taken.steps[:2]],
        shift_of=[each.exponent + rebase for each in dut.taken.steps[:2]],
    )
    return Model(dut, theorem)
