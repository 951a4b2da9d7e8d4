"""Models of what adds up, and of the running maximum."""

from typing import Any

from amaranth import *

from design.array import MultiplierArray
from design.beat import Sink
from design.residual import Residual
from design.softmax import Softmax
from formal.model import Model
from properties.accumulator import AccumulatesExactly, EachLaneMultiplies, MultipliesWithinBound
from properties.array_sums import SumsOfAPass
from properties.beat_order import PassesInOrder
from properties.dialect import OneOf, anything
from properties.maximum import RunningMaximum
from spec.config import Config
from spec.derived import EXPONENT_STEP, derive, exponents, mantissa_bits, operand_bits
from spec.fixed import SQ


def _terms(config: Config) -> dict[Any, tuple[int, tuple[int, int, int]]]:
    """For each sink how many products a lane adds up, the bits of their operands, and how many
    exponents the second has.

    W13 and the classifier multiply what QKV does.
    """
    n, shape = config.numerics, config.shape
    return {
        Sink.QKV: (shape.dim, (n.weight_bits, *_of(n.residual))),
        Sink.WO: (shape.q_dim, (n.weight_bits, *_of(n.attention))),
        Sink.W2: (shape.hidden, (n.weight_bits, *_of(n.ffn))),
        Sink.SCORE: (shape.head_dim, (n.k.width, *_of(n.q))),
        Sink.VALUE: (shape.seq_len, (n.v.width, *_of(n.weight))),
    }


def _of(form: SQ) -> tuple[int, int]:
    """Bits of an operand's mantissa, and how many exponents it may have."""
    return mantissa_bits(form), exponents(form)


def _lane(config: Config, fixed: int | None) -> OneOf:
    """Any lane of the array, or the one that is `fixed` (the last is -1)."""
    lanes = config.geometry.lanes
    return OneOf(lanes, "lane", fixed=None if fixed is None else fixed % lanes)


def _slot(config: Config) -> OneOf:
    return OneOf(derive(config).slots, "slot")


class _AnyProducts(MultiplierArray):
    """An array whose products are any: that makes more possible, and a solver need not work on 64
    multipliers that it has no use for."""

    def multiplied(self, lane: int) -> Value:
        return anything(len(self.products[lane]))


def _array(config: Config, lane: int | None) -> MultiplierArray:
    """The array; where the lane is any, so are the products."""
    return _AnyProducts(config) if lane is None else MultiplierArray(config)


def lanes_multiply(config: Config) -> Model:
    """The array as it is, and the registers of every lane."""
    dut = MultiplierArray(config)
    lanes, slot = (
        range(config.geometry.lanes),
        [n // derive(config).per_slot for n in range(config.geometry.lanes)],
    )
    of = dut.i.p
    theorem = EachLaneMultiplies(
        en=dut.en,
        given=[(of.a[n], of.b[slot[n]], of.exponents[slot[n]]) for n in lanes],
        held=[(dut.lane_a[n], dut.slot_b[slot[n]], dut.exponents[slot[n]]) for n in lanes],
        products=dut.products,
        terms=dut.terms,
        exponents=derive(config).b_exponents,
    )
    return Model(dut, theorem)


def lane_product(config: Config) -> Model:
    """An array of one lane: `lanes_multiply` says that each of several multiplies as it does."""
    dut = MultiplierArray(config.with_lanes(1))
    theorem = MultipliesWithinBound(
        en=dut.en,
        held=(dut.lane_a[0], dut.slot_b[0], dut.exponents[0]),
        term=dut.terms[0],
        formats={sink.name.lower(): widths for sink, (_, widths) in _terms(config).items()},
    )
    return Model(dut, theorem)


def lane_sum(config: Config, *, sink: Sink, lane: int | None = None) -> Model:
    """Any lane of the array, or the one that is fixed, while it multiplies for `sink` alone."""
    terms, (a_bits, b_bits, count) = _terms(config)[sink]
    dut, chosen = _array(config, lane), _lane(config, lane)
    bound = 1 << (a_bits - 1 + b_bits - 1 + EXPONENT_STEP * (count - 1))
    theorem = AccumulatesExactly(
        adds=dut.take_product,
        first=dut.beats.steps[-1].first,
        term=chosen.of(dut.terms),
        total=chosen.of(dut.o.p.sums[n] for n in range(chosen.size)),
        terms=terms,
        low=-bound,
        high=bound,
        chosen=chosen,
    )
    return Model(dut, theorem)


def array_sums(config: Config, *, lane: int | None = None) -> Model:
    """Any lane of the array, or the one that is fixed, and the beats at its steps."""
    dut, chosen = _array(config, lane), _lane(config, lane)
    theorem = SumsOfAPass(
        dut,
        chosen=chosen,
        product=chosen.of(dut.products),
        term=chosen.of(dut.terms),
        header=chosen.of(dut.headers),
        steps=[(valid, beat.as_value()) for valid, beat in _steps(dut)],
    )
    return Model(dut, theorem)


def array_order(config: Config) -> Model:
    """The beats of the array; no lane matters."""
    dut = MultiplierArray(config)
    places = [(valid & beat.last, beat.as_value()) for valid, beat in _steps(dut)]
    return Model(dut, PassesInOrder(dut, places))


def _steps(array: MultiplierArray) -> list[tuple[Value, Any]]:
    """Of the two steps in front of the accumulators: whether a beat is there, and which."""
    return list(zip(array.beats.valid, array.beats.steps, strict=True))


def weight_sum(config: Config) -> Model:
    """The sum of the softmax weights of any slot."""
    n, chosen = config.numerics, _slot(config)
    dut = Softmax(config)
    slots = range(chosen.size)
    theorem = AccumulatesExactly(
        adds=dut.adds.valid,
        first=dut.adds.p.first,
        term=chosen.of(dut.weights[slot] for slot in slots),
        total=chosen.of(dut.totals.sums[slot] for slot in slots),
        terms=config.shape.seq_len,
        low=0,
        high=n.weight.max,
        chosen=chosen,
    )
    return Model(dut, theorem)


def square_sum(config: Config) -> Model:
    """The sum of squares that a norm begins with, epsilon included."""
    n, derived = config.numerics, derive(config)
    dut = Residual(config)
    theorem = AccumulatesExactly(
        adds=dut.squared.valid[-1],
        first=dut.squared.steps[-1].first,
        term=dut.square,
        total=dut.square_sum,
        terms=config.shape.dim,
        low=0,
        high=1 << 2 * (operand_bits(n.residual) - 1),
        start=derived.epsilon,
    )
    return Model(dut, theorem)


def running_maximum(config: Config) -> Model:
    dut = Softmax(config)
    theorem = RunningMaximum(dut, chosen=_slot(config), stored=dut.stored, empty=dut.empty)
    return Model(dut, theorem)
