"""A model of the residual and what squares its elements."""

from amaranth import *

from design.residual import Residual
from design.scalar import ScalarMultiplier
from formal.harness.arithmetic import later
from formal.model import Model
from properties.square_sum import SquareSumHolds
from spec.config import Config
from spec.derived import mantissa_bits


def square_sum_theorem(config: Config, unit: Residual) -> SquareSumHolds:
    """About a residual, wherever it is."""
    return SquareSumHolds(
        config,
        unit,
        adds=unit.squared.valid[-1],
        first=unit.squared.steps[-1].first,
        square=unit.square,
    )


def square_sum(config: Config) -> Model:
    """The unit gets the squares of what it asks for, as `arith.multiply` has it.

    The square of a magnitude, of one bit less than the element: that of the whole element, with
    its sign, is beyond most solvers.
    """
    width = mantissa_bits(config.numerics.residual)
    dut = Residual(config)
    glue = Module()
    element = dut.requests[0].a
    magnitude = Signal(width)
    square = Signal(2 * width - 1)
    below = magnitude[:-1]
    glue.d.comb += [
        magnitude.eq(Mux(element < 0, -element, element)),
        square.eq(Mux(magnitude[-1], 1 << 2 * (width - 1), below * below)),
        dut.products[0].eq(later(glue, square, ScalarMultiplier.latency)),
    ]
    return Model(dut, square_sum_theorem(config, dut), glue=glue, driven=("products",))
