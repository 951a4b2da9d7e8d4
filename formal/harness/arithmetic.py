"""Models of the units that compute: each beside the circuit that golden's own lines draw.

Multipliers are replaced by a stand-in (`formal.terms.Circuit`): anything may come back for a
product, the same to the unit and to golden when both ask for the same one.
"""

import itertools
from typing import Any

import numpy as np
from amaranth import *
from amaranth.hdl import Fragment, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from design import rope, tables
from design.arith import pick
from design.array import MultiplierArray
from design.beat import Sink, beat_layout, to_sink
from design.config import Config
from design.derived import SCALAR_BITS, SHIFT_BITS, TABLE_FRACTION, derive
from design.fixed import SQ, Rounding
from design.interpolate import entry_layout
from design.reciprocals import Reciprocals
from design.requantize import requantize, shift_right
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.scalar import SCALAR_LATENCY, ScalarMultiplier
from design.schedule import Op, matrix
from design.softmax import Softmax
from design.swiglu import SwiGlu
from design.writeback import DIRECT, NORMED, Writeback, any_of
from formal.harness.stage import look_inside
from formal.model import Model
from formal.terms import Circuit, Lookup, Product, Term, Terms, select
from golden import fixed_math, steps
from golden.fixed_decoder import Projection
from golden.quantise import Rows
from properties import golden as theorems
from properties.accumulator import AccumulatesExactly
from properties.dialect import anything, implies
from properties.maximum import RunningMaximum


def later(m: Module, value: Value, cycles: int) -> Value:
    """`value` of so many cycles ago."""
    for cycle in range(cycles):
        register = Signal.like(value, name=f"ago_{cycle + 1}")
        m.d.sync += register.eq(value)
        value = register
    return value


def expected(m: Module, term: Term, cycles: int) -> Term:
    """What golden made of the inputs of so many cycles ago."""
    term = term._fixed()
    value, defined = later(m, term.value, cycles), later(m, term.defined, cycles)
    return Term(value, range(term.low, term.high + 1), defined=defined)


def stand_in(m: Module, unit: wiring.Component, ages: int = 1) -> list[Product]:
    """Answers `unit`'s requests, and says what was asked for now and in the cycles before."""
    products = []
    for port, (request, product) in enumerate(zip(unit.requests, unit.products, strict=True)):
        result = Signal(signed(2 * SCALAR_BITS), name=f"result_{port}")
        m.d.comb += [
            result.eq(anything(len(result))),
            product.eq(later(m, result, SCALAR_LATENCY)),
        ]
        columns = [request.a, request.b, result]
        for _ in range(ages):
            products.append(Product(*columns))
            columns = [later(m, column, 1) for column in columns]
    return products


# Rounding and saturation, wherever they stand.


class Rounder(wiring.Component):
    """Every place of the design that rounds, as combinational logic: those with constant shifts,
    or (`by_header`) that of a row.

    Members
    -------
    value : In(signed(width))
        Wide enough for all.
    shift : In(shift_width)
        For where it is not constant.
    """

    def __init__(self, config: Config, *, by_header: bool):
        derived, n = derive(config), config.numerics
        product = 2 * SCALAR_BITS
        #: name -> (bits of the value, shift or None for `shift`, format or None for no limit).
        self.places: dict[str, tuple[int, int | None, SQ | None]] = (
            {"row": (derived.acc_width, None, n.residual)}
            if by_header
            else {
                "score": (derived.acc_width, n.q.f + n.k.f - n.score.f, n.score),
                "silu": (product, TABLE_FRACTION + n.gate.f - n.silu.f, n.silu),
                "ffn": (product, n.silu.f + n.up.f - n.ffn.f, n.ffn),
                "query": (product + 1, n.rope.f, n.q),
                "key": (product + 1, n.rope.f, n.k),
                "rsqrt": (product, tables.rsqrt(config).fraction_bits, None),
                "reciprocal": (product, tables.reciprocal(config).fraction_bits, None),
                "sigmoid": (product, tables.sigmoid(config).fraction_bits, None),
                "attention": (product, TABLE_FRACTION, n.attention),
            }
        )
        super().__init__(
            {
                "value": In(signed(max(width for width, _, _ in self.places.values()))),
                "shift": In(derived.shift_width),
                **{
                    f"{name}_{rounding.value}": Out(signed(form.width if form else width + 1))
                    for name, (width, _, form) in self.places.items()
                    for rounding in Rounding
                },
            }
        )

    def elaborate(self, platform):
        m = Module()
        for name, (width, constant, form) in self.places.items():
            value = self.value[:width].as_signed()
            shift = self.shift if constant is None else constant
            for rounding in Rounding:
                out = getattr(self, f"{name}_{rounding.value}")
                if form is None:
                    m.d.comb += out.eq(shift_right(value, shift, rounding))
                else:
                    m.d.comb += out.eq(requantize(value, shift, form, rounding))
        return m


def requantized(config: Config, *, by_header: bool) -> Model:
    """Every place beside golden's `requantize`."""
    dut = Rounder(config, by_header=by_header)
    glue = Module()
    equal, shown = {}, {}
    for rounding in Rounding:
        same = []
        for name, (width, constant, form) in dut.places.items():
            out = getattr(dut, f"{name}_{rounding.value}")
            with Circuit(glue):
                value = Terms(dut.value[:width].as_signed())
                shift = Terms(dut.shift) if constant is None else constant
                (found,) = (
                    fixed_math.shift_right(value, shift, rounding)
                    if form is None
                    else fixed_math.requantize(value, shift, form, rounding)
                )
                same.append(found.equals(out))
        equal[rounding.value] = Cat(same).all()
        shown[f"{rounding.value}_negative"] = out < 0
    return Model(dut, theorems.Requantizes(equal, shown=shown), glue=glue)


def multiplies(config: Config) -> Model:
    """A scalar multiplier of three clients; its operands and golden's share a product."""
    dut = ScalarMultiplier(3)
    inside, hidden = look_inside(dut)
    glue = Module()
    made = Product(hidden["a"], hidden["b"], hidden["a"] * hidden["b"])
    given, equal = {"one_at_a_time": ~dut.fault}, {}
    for client, request in enumerate(dut.requests):
        a, b = (later(glue, each, 1) for each in (request.a, request.b))
        with Circuit(glue, [made]):
            (product,) = Terms(a) * Terms(b)
            same = expected(glue, product, 1).equals(dut.product)
        given[f"silent_{client}"] = request.en | (request.as_value() == 0)
        equal[f"client_{client}"] = implies(later(glue, request.en, 2), same)
    theorem = theorems.Multiplies(equal, given=given, shown={"negative": dut.product < 0})
    return Model(dut, theorem, glue=glue, inside=inside)


# Writeback.


def _looked_up(column: np.ndarray, row: Term) -> Terms:
    """The entry of golden's array at the element's row, as a row of one."""
    entry = int(column[0])
    found: Term | int = entry
    for start, (before, value) in enumerate(itertools.pairwise(column), 1):
        if before != value:
            found = select(row >= start, int(value), found)
    return Terms(found)


def _projection(config: Config, op: Op, row: Value, shift: Value) -> Projection:
    """Golden's matrix of one row, any row of `op`, with its one weight 1."""
    rows = Rows(weights=Terms(1).reshape(1, 1), shift=Terms(shift))
    projection = Projection(config, op, rows)
    for limits in ("limits", "sum_limits"):
        low, high = (_looked_up(each, Term(row)) for each in getattr(projection, limits))
        setattr(projection, limits, (low, high))
    return projection


_OPS: dict[Any, Op] = {to_sink(op): op for op in Op}


def _by_sink(sink: Value, terms: dict[Any, Term]) -> Term:
    """The term of an element's sink."""
    (_, found), *rest = terms.items()
    for each, term in rest:
        found = select(sink == each, term, found)
    return found


def _row_exists(config: Config, element: Value) -> Value:
    """The element is a row of its matrix."""
    return Cat(
        implies(element.sink == sink, element.row < matrix(config, op).rows)
        for sink, op in _OPS.items()
    ).all()


def sums_rounded(config: Config) -> Model:
    """Sums as they come, with the shifts that their units give."""
    derived, n = derive(config), config.numerics
    dut = Writeback(config)
    glue = Module()
    raw = dut.i
    norm_exponents = range(derived.square_sum_width // 2 - derived.norm_floor)
    # Reciprocals adds a constant to the exponent of the sum of weights.
    rebase = n.v.f - n.attention.f + derived.lead
    sum_exponents = range(n.weight.f - 1, derived.softmax_sum_width)
    sum_exponent = pick(dut.value_shifts, raw.slot) - rebase

    golden: dict[Any, Term] = {}
    with Circuit(glue):
        total = Terms(raw.sum).reshape(1, 1)
        norm_exponent = Terms(Term(dut.norm_exponent, norm_exponents))
        for sink, op in _OPS.items():
            projection = _projection(config, op, raw.row, raw.shift)
            if sink in NORMED:
                ((golden[sink],),) = projection.behind_norm(total, norm_exponent)
            else:
                ((golden[sink],),) = projection(total)
        value_exponent = Terms(Term(sum_exponent, sum_exponents))
        ((golden[Sink.VALUE],),) = steps.value_sum(n, total, value_exponent)
        result = expected(glue, _by_sink(raw.sink, golden), 2)
        same = result.equals(dut.o.value)
    came = later(glue, dut.i_valid, 2)
    equal = {"value": implies(came, same), "in_time": dut.o_valid == came}
    given = {
        "no_score": raw.sink != Sink.SCORE,
        "row_exists": _row_exists(config, raw),
        "norm_exponent": dut.norm_exponent < norm_exponents.stop,
        "value_shift": (sum_exponent >= sum_exponents[0]) & (sum_exponent <= sum_exponents[-1]),
    }
    shown = {
        f"{sink.name.lower()}_negative": dut.o_valid & (dut.o.sink == sink) & (dut.o.value < 0)
        for sink in golden
    }
    return Model(dut, theorems.RoundsSums(equal, given=given, shown=shown), glue=glue)


def sums_scaled(config: Config) -> Model:
    """Rounded sums as they stand at the output, with their factor."""
    n = config.numerics
    dut = Writeback(config)
    glue = Module()
    golden: dict[Any, Term] = {}
    with Circuit(glue, stand_in(glue, dut)):
        sums = Terms(dut.o.value).reshape(1, 1)
        for sink in NORMED:
            projection = _projection(config, _OPS[sink], dut.o.row, C(0, SHIFT_BITS))
            ((golden[sink],),) = projection.scaled(sums, Terms(dut.norm_factor))
        of_slot = Terms(pick(dut.value_factors, dut.o.slot))
        ((golden[Sink.VALUE],),) = steps.attended(n, sums, of_slot)
        result = expected(glue, _by_sink(dut.o.sink, golden), 3)
        same = result.equals(dut.scaled.value)
    asks = dut.o_valid & ~any_of(dut.o.sink, DIRECT) & (dut.o.sink != Sink.SCORE)
    came = later(glue, asks, 3)
    given = {"row_exists": _row_exists(config, dut.o)}
    shown = {
        f"{sink.name.lower()}_negative": came & (dut.scaled.sink == sink) & (dut.scaled.value < 0)
        for sink in golden
    }
    theorem = theorems.ScalesSums({"value": implies(came, same)}, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))


# The units.


def _interpolated(m: Module, interpolator: Fragment, table: tables.Interpolated, x: Terms) -> Terms:
    """Golden's interpolation in whatever table the interpolator holds.

    Adds a combinational port to its memory, at the node that golden looks up.
    """
    layout = entry_layout(table)
    word = Signal(layout.size, name="entry")
    node = Signal(table.index_bits, name="node")
    interpolator.find_subfragment("memory").read_port(
        domain="comb", addr=node, data=word, en=C(1, 1), transparent_for=()
    )

    def column(field: str) -> Lookup:
        return Lookup(lambda at: Term(layout(word)[field], defined=[at.value == node]))

    (at,) = x >> table.fraction_bits
    m.d.comb += node.eq(at.value)
    return fixed_math.interpolate(table, column("base"), column("slope"), x)


def _is_factor(term: Term) -> Value:
    """What every table holds at every input, as enumerated: a number from 0 to 1."""
    return (term.value >= 0) & (term.value <= 1 << TABLE_FRACTION)


def norm_found(config: Config) -> Model:
    """A norm whose sum of squares stays while it works, as `Residual` promises."""
    derived = derive(config)
    dut = RmsNorm(config)
    inside = Fragment.get(dut, None)
    glue = Module()
    started = later(glue, dut.start, 1)
    square_sum = Signal.like(dut.square_sum)
    with glue.If(dut.start):
        glue.d.sync += square_sum.eq(dut.square_sum)
    products = stand_in(glue, dut)
    with Circuit(glue, products):
        # The product is asked for 2 cycles after start.
        least = 1 << (2 * derived.norm_floor)
        asked = later(glue, square_sum, 1)
        sums = Terms(Term(asked, range(least, 1 << derived.square_sum_width)))
        m, e = fixed_math.rsqrt_operand(sums)
        table = inside.find_subfragment("rsqrt")
        (factor,) = _interpolated(glue, table, tables.rsqrt(config), m)
        in_table = _is_factor(factor)
        same_factor = expected(glue, factor, SCALAR_LATENCY).equals(dut.factor)
        (exponent,) = e - derived.norm_floor
        same_exponent = exponent.equals(later(glue, dut.exponent, 1))
    begun = later(glue, started, 1)
    equal = {
        "factor": implies(later(glue, begun, SCALAR_LATENCY), same_factor),
        "exponent": implies(begun, same_exponent),
    }
    given = {
        "at_least_epsilon": implies(dut.start, dut.square_sum >= least),
        "sum_stays": implies(started, dut.square_sum == square_sum),
        "table_of_factors": implies(begun, in_table),
    }
    shown = {"factor": dut.done & (dut.factor > 0)}
    theorem = theorems.FindsNorm(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, inside=inside, driven=("products",))


def reciprocals_found(config: Config) -> Model:
    """Slot after slot; a sum of weights is never less than that of the maximum."""
    n, derived = config.numerics, derive(config)
    dut = Reciprocals(config)
    inside, hidden = look_inside(dut)
    glue = Module()
    (product,) = stand_in(glue, dut)
    slot, running = hidden["slot"], hidden["running"]
    total = Signal(derived.softmax_sum_width)
    glue.d.comb += total.eq(pick(dut.sums, slot))
    with Circuit(glue, [product]):
        # The product is asked for 2 cycles after the slot is taken.
        least = n.weight.max
        asked = Term(later(glue, total, 2), range(least, 1 << derived.softmax_sum_width))
        m, e = fixed_math.reciprocal_operand(Terms(asked))
        table = inside.find_subfragment("reciprocal")
        (factor,) = _interpolated(glue, table, tables.reciprocal(config), m)
        in_table = _is_factor(factor)
        slot_then = later(glue, slot, 5)
        same_factor = expected(glue, factor, 3).equals(pick(dut.factors, slot_then))
        (shift,) = e + (n.v.f - n.attention.f + derived.lead)
        same_shift = expected(glue, shift, 3).equals(pick(dut.shifts, slot_then))
    begun = later(glue, running, 2)
    taken = later(glue, begun, 3)
    equal = {"factor": implies(taken, same_factor), "shift": implies(taken, same_shift)}
    given = {
        "at_least_the_maximum": implies(running, total >= least),
        "slot_exists": slot < derived.slots,
        "table_of_factors": implies(begun, in_table),
    }
    shown = {"factor": taken & (dut.factors[1] > 0)}
    theorem = theorems.FindsReciprocals(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, inside=inside, driven=("products",))


def gates(config: Config) -> Model:
    """Each step beside the product that it asks for: how gates meet their ups is not looked at."""
    n = config.numerics
    dut = SwiGlu(config)
    inside, hidden = look_inside(dut)
    glue = Module()
    first, second = stand_in(glue, dut)
    came = dut.i_valid & (dut.i.sink == Sink.W13) & ~dut.i.row[0]
    gate = dut.i.value[: n.gate.width].as_signed()
    with Circuit(glue, [first]):
        x: Any = Terms(later(glue, gate, 1)) - n.gate.min
        table = inside.find_subfragment("sigmoid")
        (sigmoid,) = _interpolated(glue, table, tables.sigmoid(config), x)
        in_table = _is_factor(sigmoid)
        same_sigmoid = expected(glue, sigmoid, 3).equals(hidden["sigmoid_value"])
        (ffn,) = steps.multiplied(n, Terms(first.a), Terms(first.b))
        same_ffn = expected(glue, ffn, 3).equals(dut.o)
    with Circuit(glue, [second]):
        (silu,) = steps.gated(n, Terms(second.a), Terms(second.b))
        same_silu = expected(glue, silu, 3).equals(hidden["silu"])
    asked, multiplies = later(glue, came, 4), hidden["multiply"]
    equal = {
        "sigmoid": implies(asked, same_sigmoid),
        # The second multiplier gets the gate and its sigmoid, 4 cycles after the gate came.
        "gate_operands": implies(
            asked,
            (dut.requests[1].a == later(glue, gate, 4))
            & (dut.requests[1].b == hidden["sigmoid_value"]),
        ),
        "silu": implies(later(glue, asked, 3), same_silu),
        "silu_operand": implies(multiplies, first.a == hidden["silu"]),
        "ffn": implies(later(glue, multiplies, 3), same_ffn),
    }
    looks_up = later(glue, came, 1)
    given = {
        "table_of_factors": implies(looks_up, in_table),
        # The phases of the drain keep gates and silus apart.
        "take_turns": ~(looks_up & multiplies),
    }
    shown = {"element": dut.o_valid & (dut.o != 0)}
    theorem = theorems.Gates(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, inside=inside, driven=("products",))


def pairs_turned(config: Config) -> Model:
    """Pairs beside golden's turn of the operands that were asked for: first, then second half."""
    n, turn = config.numerics, derive(config).turn
    cycles = rope.CYCLES[turn]
    dut = rope.Rope(config)
    inside, hidden = look_inside(dut)
    glue = Module()
    take = dut.i_valid & (dut.i.sink == Sink.QKV)
    query, key, value = (hidden["arrived"][bit] for bit in range(3))
    b_here = query | key
    before = Signal.like(dut.i.value)
    with glue.If(take):
        glue.d.sync += before.eq(dut.i.value)

    # Of a half: the first product, of port 0, was asked for so many cycles before the second.
    port_0, port_1 = stand_in(glue, dut)
    age = cycles[1] - cycles[0]
    first = Product(*(later(glue, each, age) for each in (port_0.a, port_0.b, port_0.result)))
    (a, cos), (b, sin) = (first.a, first.b), (port_1.a, port_1.b)
    equal = {"a_waits": implies(hidden["d"][0], before == hidden["waiting"])}
    outs = []
    for half, asked in enumerate((cycles[1], cycles[3])):
        if half:  # a sin, b cos
            cos, sin = sin, cos
        with Circuit(glue, [first, port_1]):
            pair = [Terms(each) for each in (a, b, cos, sin)]
            (of_query,), (of_key,) = (steps.turned(n, form, *pair)[half] for form in (n.q, n.k))
            result = select(later(glue, query, asked), of_query, of_key)
            same = expected(glue, result, 3).equals(dut.o.value)
        name = ("first", "second")[half]
        equal[name] = implies(later(glue, b_here, asked + 3), same)
        # a and b are the pair that came, the angle is that of the table.
        operands = (
            (a == later(glue, before, asked))
            & (b == later(glue, dut.i.value, asked))
            & (Cat(cos[: n.rope.width], sin[: n.rope.width]) == hidden["angle"])
        )
        equal[f"{name}_operands"] = implies(later(glue, b_here, asked), operands)
        outs.append(asked + 3)
    for tensor, flag, out in (("query", query, dut.o.q), ("key", key, dut.o.k)):
        equal[tensor] = out == (later(glue, flag, outs[0]) | later(glue, flag, outs[1]))
    came = later(glue, value, outs[1])
    passed = later(glue, dut.i.value, outs[1])[: len(dut.o.value)].as_signed()
    equal["value"] = (dut.o.v == came) & implies(came, dut.o.value == passed)
    same_operands = (first.a == port_1.a) & (first.b == port_1.b)
    soon = [later(glue, b_here, cycle) for cycle in range(1, 2 * turn)]
    given = {
        "a_product_is_one": implies(same_operands, first.result == port_1.result),
        # Behind the last value nothing comes: rows that pad the matrix stay in the drain.
        "rows_of_the_matrix": implies(take, hidden["section"] < 3),
        "pairs_in_their_time": ~(b_here & Cat(soon).any()) & ~dut.fault,
    }
    shown = {"query": dut.o.q & (dut.o.value < 0)}
    if config.shape.dim * turn <= 8:  # elsewhere keys and values come too late for a search
        shown |= {"key": dut.o.k & (dut.o.value > 0), "value": dut.o.v}
    theorem = theorems.TurnsPairs(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, inside=inside, driven=("products",))


# Accumulators.


def lane_sum(config: Config, *, sink: Sink) -> Model:
    """A lane of the array (all are alike), while it multiplies for `sink` alone.

    The bound of a term is that of a product of the two formats.
    """
    n, shape, one_lane = config.numerics, config.shape, config.with_lanes(1)
    terms, *widths = {
        Sink.QKV: (shape.dim, n.weight_bits, n.residual.width),
        Sink.W13: (shape.dim, n.weight_bits, n.residual.width),
        Sink.CLS: (shape.dim, n.weight_bits, n.residual.width),
        Sink.WO: (shape.dim, n.weight_bits, n.attention.width),
        Sink.W2: (shape.hidden, n.weight_bits, n.ffn.width),
        Sink.SCORE: (shape.head_dim, n.k.width, n.q.width),
        Sink.VALUE: (shape.seq_len, n.v.width, n.weight.width),
    }[sink]
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
