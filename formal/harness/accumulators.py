"""Models of what adds up, and of the running maximum."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment

from design.array import MultiplierArray
from design.beat import Sink, beat_layout
from design.residual import Residual
from design.softmax import Softmax
from formal.harness.stage import assignments, look_inside
from formal.model import Model
from properties.accumulator import (
    AccumulatesExactly,
    EachLaneMultiplies,
    MultipliesWithinBound,
)
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
    """Any slot."""
    return OneOf(derive(config).slots, "slot")


def _array(config: Config, lane: int | None) -> tuple[MultiplierArray, Fragment, dict[str, Signal]]:
    """The array, elaborated, and its registers. Where the lane is any, so are the products: that
    makes more possible, and a solver need not work on 64 multipliers that it has no use for."""
    dut = MultiplierArray(config)
    inside, hidden = look_inside(dut)
    if lane is None:
        products = {id(hidden[f"product_{n}"]) for n in range(config.geometry.lanes)}
        for each in assignments(inside):
            if id(each.lhs) in products:
                each._rhs = anything(len(each.lhs))
    return dut, inside, hidden


def lanes_multiply(config: Config) -> Model:
    """The array as it is, and the registers of every lane."""
    dut = MultiplierArray(config)
    inside, hidden = look_inside(dut)
    lanes, slot = (
        range(config.geometry.lanes),
        [n // derive(config).per_slot for n in range(config.geometry.lanes)],
    )
    theorem = EachLaneMultiplies(
        en=dut.en,
        given=[(dut.a[n], dut.b[slot[n]], dut.b_exponents[slot[n]]) for n in lanes],
        held=[
            (hidden[f"a_{n}"], hidden[f"b_{slot[n]}"], hidden[f"exponent_{slot[n]}"]) for n in lanes
        ],
        products=[hidden[f"product_{n}"] for n in lanes],
        terms=[hidden[f"term_{n}"] for n in lanes],
        exponents=derive(config).b_exponents,
    )
    return Model(dut, theorem, inside=inside)


def lane_product(config: Config) -> Model:
    """An array of one lane: `lanes_multiply` says that each of several multiplies as it does."""
    dut = MultiplierArray(config.with_lanes(1))
    inside, hidden = look_inside(dut)
    theorem = MultipliesWithinBound(
        en=dut.en,
        held=(hidden["a_0"], hidden["b_0"], hidden["exponent_0"]),
        term=hidden["term_0"],
        formats={sink.name.lower(): widths for sink, (_, widths) in _terms(config).items()},
    )
    return Model(dut, theorem, inside=inside)


def lane_sum(config: Config, *, sink: Sink, lane: int | None = None) -> Model:
    """Any lane of the array, or the one that is fixed, while it multiplies for `sink` alone."""
    terms, (a_bits, b_bits, count) = _terms(config)[sink]
    dut, inside, hidden = _array(config, lane)
    chosen, lanes = _lane(config, lane), range(config.geometry.lanes)
    bound = 1 << (a_bits - 1 + b_bits - 1 + EXPONENT_STEP * (count - 1))
    theorem = AccumulatesExactly(
        adds=hidden["take_product"],
        first=hidden["product_beat"][beat_layout(config)["first"].offset],
        term=chosen.of(hidden[f"term_{n}"] for n in lanes),
        total=chosen.of(dut.sums[n] for n in lanes),
        terms=terms,
        low=-bound,
        high=bound,
        chosen=chosen,
    )
    return Model(dut, theorem, inside=inside)


def array_sums(config: Config, *, lane: int | None = None) -> Model:
    """Any lane of the array, or the one that is fixed, and the beats at its steps."""
    dut, inside, hidden = _array(config, lane)
    chosen, lanes = _lane(config, lane), range(config.geometry.lanes)
    theorem = SumsOfAPass(
        dut,
        chosen=chosen,
        product=chosen.of(hidden[f"product_{n}"] for n in lanes),
        term=chosen.of(hidden[f"term_{n}"] for n in lanes),
        header=chosen.of(hidden[f"header_{n}"] for n in lanes),
        steps=_steps(hidden),
    )
    return Model(dut, theorem, inside=inside)


def array_order(config: Config) -> Model:
    """The beats of the array; no lane matters."""
    dut = MultiplierArray(config)
    inside, hidden = look_inside(dut)
    last = beat_layout(config)["last"].offset
    places = [(valid & beat[last], beat) for valid, beat in _steps(hidden)]
    return Model(dut, PassesInOrder(dut, places), inside=inside)


def _steps(hidden: Mapping[str, Signal]) -> list[tuple[Value, Value]]:
    """Of the two steps in front of the accumulators: whether a beat is there, and which."""
    beats = (hidden["operand_beat"], hidden["product_beat"])
    return [(hidden["valid"][step], beat) for step, beat in enumerate(beats)]


def weight_sum(config: Config) -> Model:
    """The sum of the softmax weights of any slot."""
    n, chosen = config.numerics, _slot(config)
    dut = Softmax(config)
    slots = range(chosen.size)
    theorem = AccumulatesExactly(
        adds=dut.add,
        first=dut.add_first,
        term=chosen.of(dut.weights[slot] for slot in slots),
        total=chosen.of(dut.sums[slot] for slot in slots),
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
    inside, hidden = look_inside(dut)
    theorem = AccumulatesExactly(
        adds=hidden["squared"][-1],
        first=hidden["squared_first"][-1],
        term=hidden["square"],
        total=dut.square_sum,
        terms=config.shape.dim,
        low=0,
        high=1 << 2 * (operand_bits(n.residual) - 1),
        start=derived.epsilon,
    )
    return Model(dut, theorem, inside=inside)


def running_maximum(config: Config) -> Model:
    """The unit as it is."""
    dut = Softmax(config)
    inside, hidden = look_inside(dut)
    theorem = RunningMaximum(
        dut, chosen=_slot(config), stored=hidden["stored"], empty=hidden["empty"]
    )
    return Model(dut, theorem, inside=inside)
