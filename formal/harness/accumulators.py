"""Models of what adds up, and of the running maximum."""

from typing import Any

from amaranth import *

from design.array import MultiplierArray
from design.beat import Sink, beat_layout
from design.config import Config
from design.derived import derive
from design.residual import Residual
from design.softmax import Softmax
from formal.harness.stage import look_inside
from formal.model import Model
from properties.accumulator import AccumulatesExactly, MultipliesWithinBound
from properties.maximum import RunningMaximum


def _terms(config: Config) -> dict[Any, tuple[int, tuple[int, int]]]:
    """For each sink how many products a lane adds up, and the bits of their operands.

    W13 and the classifier multiply what QKV does.
    """
    n, shape = config.numerics, config.shape
    return {
        Sink.QKV: (shape.dim, (n.weight_bits, n.residual.width)),
        Sink.WO: (shape.dim, (n.weight_bits, n.attention.width)),
        Sink.W2: (shape.hidden, (n.weight_bits, n.ffn.width)),
        Sink.SCORE: (shape.head_dim, (n.k.width, n.q.width)),
        Sink.VALUE: (shape.seq_len, (n.v.width, n.weight.width)),
    }


def lane_product(config: Config) -> Model:
    """A lane of the array (all are alike)."""
    dut = MultiplierArray(config.with_lanes(1))
    inside, hidden = look_inside(dut)
    theorem = MultipliesWithinBound(
        en=dut.en,
        given=(dut.a[0], dut.b[0]),
        held=(hidden["a_0"], hidden["b_0"]),
        product=hidden["product_0"],
        formats={sink.name.lower(): widths for sink, (_, widths) in _terms(config).items()},
    )
    return Model(dut, theorem, inside=inside)


def lane_sum(config: Config, *, sink: Sink) -> Model:
    """A lane of the array (all are alike), while it multiplies for `sink` alone."""
    one_lane = config.with_lanes(1)
    terms, widths = _terms(config)[sink]
    dut = MultiplierArray(one_lane)
    inside, hidden = look_inside(dut)
    bound = 1 << sum(width - 1 for width in widths)
    theorem = AccumulatesExactly(
        adds=hidden["take_product"],
        first=hidden["product_beat"][beat_layout(one_lane)["first"].offset],
        term=hidden["product_0"],
        total=hidden["sum_0"],
        terms=terms,
        low=-bound,
        high=bound,
    )
    return Model(dut, theorem, inside=inside)


def weight_sum(config: Config) -> Model:
    """The sum of the softmax weights of a slot."""
    n = config.numerics
    dut = Softmax(config)
    theorem = AccumulatesExactly(
        adds=dut.add,
        first=dut.add_first,
        term=dut.weights[0],
        total=dut.sums[0],
        terms=config.shape.seq_len,
        low=0,
        high=n.weight.max,
    )
    return Model(dut, theorem)


def square_sum(config: Config) -> Model:
    """The sum of squares that a norm begins with, epsilon included."""
    n, derived = config.numerics, derive(config)
    dut = Residual(config)
    inside, hidden = look_inside(dut)
    theorem = AccumulatesExactly(
        adds=hidden["squared"][-1],
        first=hidden["squared_first"][-1],
        term=dut.products[0],
        total=dut.square_sum,
        terms=config.shape.dim,
        low=0,
        high=1 << 2 * (n.residual.width - 1),
        start=derived.epsilon,
    )
    return Model(dut, theorem, inside=inside)


def running_maximum(config: Config) -> Model:
    """The unit as it is."""
    dut = Softmax(config)
    inside, hidden = look_inside(dut)
    return Model(dut, RunningMaximum(dut, empty=hidden["empty"]), inside=inside)
