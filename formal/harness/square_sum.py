"""A model of the residual and what squares its elements."""

from amaranth import *

from design.residual import Residual
from design.scalar import ScalarMultiplier
from formal.harness.arithmetic import later
from formal.model import Model
from properties.square_sum import SquareSumHolds
from spec.config import Config
from spec.derived import derive, mantissa_bits, operand_bits


def square_sum(config: Config) -> Model:
    """The unit gets the squares of what it asks for, as `arith.multiply` has it.

    The square of a magnitude, of one bit less than the element: that of the whole element, with
    its sign, is beyond most solvers.
    """
    form = config.numerics.residual
    width = mantissa_bits(form)
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
    theorem = SquareSumHolds(
        dut,
        dim=config.shape.dim,
        width=width,
        most=1 << 2 * (operand_bits(form) - 1),
        epsilon=derive(config).epsilon,
        adds=dut.squared.valid[-1],
        first=dut.squared.steps[-1].first,
        square=dut.square,
    )
    return Model(dut, theorem, glue=glue, driven=("products",))
