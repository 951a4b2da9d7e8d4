"""Models of norm, softmax, SwiGLU and RoPE beside the circuits that golden's own lines draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from design.arith import pick
from design.beat import Sink, is_op
from design.interpolate import Interpolator
from design.reciprocals import Reciprocals
from design.residual import Residual
from design.rmsnorm import RmsNorm
from design.rope import Rope
from design.scalar import ScalarMultiplier
from design.softmax import Softmax
from design.swiglu import SwiGlu
from formal.harness.arithmetic import expected, later, stand_in
from formal.harness.terms import Circuit, Lookup, Product, Term, Terms, select
from formal.model import Model
from golden import fixed_math, steps
from properties import golden as theorems
from properties.dialect import OneOf, implies
from properties.scores import ScoresKept
from properties.softmax_sum import WeightsSumToOne
from spec import tables
from spec.config import Config
from spec.derived import EXPONENT_STEP, TABLE_FRACTION, derive, exponents
from spec.fixed import SQ, Rounding
from spec.schedule import Op


def _interpolated(
    m: Module, interpolator: Interpolator, table: tables.Interpolated, x: Terms
) -> Terms:
    """Golden's interpolation in whatever table the interpolator holds.

    Adds a combinational port to its memory, at the node that golden looks up.
    """
    port = interpolator.memory.read_port(domain="comb")

    def column(field: str) -> Lookup:
        return Lookup(lambda at: Term(port.data[field], defined=[at.value == port.addr]))

    (at,) = x >> table.fraction_bits
    m.d.comb += port.addr.eq(at.value)
    return fixed_math.interpolate(table, column("base"), column("slope"), x)


def _is_factor(term: Term) -> Value:
    """What every table holds at every input, as enumerated: a number from 0 to 1."""
    return (term.value >= 0) & (term.value <= 1 << TABLE_FRACTION)


def _is_operand(out: data.View, elements: Terms, form: SQ, rounding: Rounding) -> Value:
    """What a unit puts out is what golden makes of its one element for the matrices."""
    (operand,) = fixed_math.operand(elements, form, rounding)
    moved = out.mantissa << (EXPONENT_STEP * out.exponent)
    return operand.equals(moved) & (out.exponent < exponents(form))


def _stays(m: Module, value: Value) -> Value:
    """`value` is what it was in the cycle before."""
    return implies(later(m, C(1, 1), 1), value == later(m, value, 1))


def norm_found(config: Config) -> Model:
    """A norm whose sum of squares stays while it works, as `Residual` promises."""
    derived = derive(config)
    dut = RmsNorm(config)
    glue = Module()
    started = later(glue, dut.start, dut.exponent_latency)
    square_sum = Signal.like(dut.square_sum)
    with glue.If(dut.start):
        glue.d.sync += square_sum.eq(dut.square_sum)
    products = stand_in(glue, dut)
    with Circuit(glue, products):
        # The product is asked for as long after the exponent is there.
        asks = Interpolator.asks_after
        least = 1 << (2 * derived.norm_floor)
        asked = later(glue, square_sum, asks)
        sums = Terms(Term(asked, range(least, 1 << derived.square_sum_width)))
        m, e = fixed_math.rsqrt_operand(*fixed_math.halves(sums))
        (factor,) = _interpolated(glue, dut.rsqrt, tables.rsqrt(config), m)
        in_table = _is_factor(factor)
        same_factor = expected(glue, factor, ScalarMultiplier.latency).equals(dut.factor)
        (exponent,) = e - derived.norm_floor
        same_exponent = exponent.equals(later(glue, dut.exponent, asks))
    begun = later(glue, started, asks)
    found = later(glue, begun, ScalarMultiplier.latency)
    equal = {
        "factor": implies(found, same_factor),
        "exponent": implies(begun, same_exponent),
        "factor_stays": (found | _stays(glue, dut.factor), "Until the next norm both stay."),
        "exponent_stays": started | _stays(glue, dut.exponent),
    }
    given = {
        "at_least_epsilon": implies(dut.start, dut.square_sum >= least),
        "sum_stays": implies(started, dut.square_sum == square_sum),
        "table_of_factors": implies(begun, in_table),
    }
    shown = {"factor": dut.done & (dut.factor > 0)}
    theorem = theorems.FindsNorm(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))


def weights_found(config: Config) -> Model:
    """Any slot, from the score that its memory shows, at whatever distance from the maximum. The
    clock enable is free: what is expected moves with it, so the unit must.

    Golden's table of weights ends where nothing is left, and so do the distances.
    """
    n = config.numerics
    dut = Softmax(config)
    ports = [table.read_port(domain="comb") for table in dut.tables]
    glue = Module()
    chosen, en = OneOf(derive(config).slots, "slot"), dut.en
    slots = range(chosen.size)
    node = Signal(n.score.f, name="node")
    glue.d.comb += [port.addr.eq(node) for port in ports]
    shown = chosen.of(port.read.data for port in dut.ports)
    looked_up = chosen.of(port.lookup.data for port in dut.ports)
    held, octaves = chosen.of(dut.held), chosen.of(dut.octaves)
    word = chosen.of(port.data for port in ports)
    maximum = chosen.of(dut.totals.maxima[slot] for slot in slots)
    weight = chosen.of(dut.weights[slot] for slot in slots)

    # One enabled cycle to the register behind the memory, one to the table, one to the shift.
    score = later(glue, shown, 1, en=en)
    begun = later(glue, C(1, 1), 1, en=en)
    has_distance = later(glue, begun, 1, en=en)
    has_weight = later(glue, has_distance, 1, en=en)
    far = later(glue, (maximum - score)[: n.score.width], 1, en=en)
    with Circuit(glue, []):
        distance = Terms(Term(far, range(1 << n.score.width)))
        (whole,) = np.minimum(distance >> n.score.f, n.weight.width)
        last = ((n.weight.width + 1) << n.score.f) - 1
        below = np.minimum(distance, last)
        (fraction,) = below & ((1 << n.score.f) - 1)
        glue.d.comb += node.eq(fraction.value)
        table = Lookup(lambda at: Term(word, defined=[at.value == node]))
        (of_golden,) = steps.softmax_weight(n, table, below)
        same = expected(glue, of_golden, 1, en=en).equals(weight)
        same_octaves = whole.equals(octaves)
    equal = {
        "held": (
            implies(begun, held == score),
            "The score goes on when the pipeline moves, and only then.",
        ),
        "octaves": (
            implies(has_distance, same_octaves),
            "So does its distance from the maximum: whole octaves,",
        ),
        "looked_up": (
            implies(has_distance & (far <= last), looked_up == word),
            "and what the table holds for the rest.",
        ),
        "weight": (implies(has_weight, same), "So does the weight."),
    }
    theorem = theorems.Weighs(
        equal,
        shown={"small": has_weight & (weight == 1), "great": has_weight & weight[-1]},
        chosen=chosen,
    )
    return Model(dut, theorem, glue=glue)


def score_kept(config: Config) -> Model:
    """Any slot and position; adds to the memories of scores a port at that position."""
    n, derived = config.numerics, derive(config)
    dut = Softmax(config)
    ports = [memory.read_port(domain="comb") for memory in dut.memories]
    glue = Module()
    chosen = OneOf(derived.slots, "slot")
    slots = range(chosen.size)
    theorem = ScoresKept(
        dut,
        chosen=chosen,
        seq_len=config.shape.seq_len,
        written=dut.stored,
        written_t=dut.stored_t,
        shown=chosen.of(port.read.data for port in dut.ports),
    )
    glue.d.comb += [port.addr.eq(theorem.t) for port in ports]
    glue.d.comb += theorem.stored.eq(chosen.of(port.data for port in ports))
    with Circuit(glue):
        raw = Terms(chosen.of(dut.scores.p.sums[slot] for slot in slots))
        shift = n.q.f + n.k.f - n.score.f
        (rounded,) = fixed_math.requantize(raw, shift, n.score, n.rounding)
        glue.d.comb += theorem.rounded.eq(rounded.value)
    return Model(dut, theorem, glue=glue)


def residual_added(config: Config) -> Model:
    """Each element behind its announcement, as the writeback brings it."""
    n = config.numerics
    dut = Residual(config)
    old = dut.memory.read_port(domain="comb")
    glue = Module()
    row = later(glue, dut.coming.p, dut.lead_time)
    glue.d.comb += old.addr.eq(row)
    adds = Cat(dut.i.p.sink == sink for sink in (Sink.WO, Sink.W2)).any()
    embeds = is_op(Op.EMBED, dut.i.p)
    with Circuit(glue, []):
        value = Terms(Term(dut.i.p.value))
        (total,) = fixed_math.saturate(Terms(Term(old.data)) + value, n.residual)
        (first,) = fixed_math.saturate(value, n.residual)
        (element,) = elements = Terms(expected(glue, select(embeds, first, total), dut.latency))
        same = element.equals(dut.new) & _is_operand(dut.o.p, elements, n.residual, n.rounding)
    comes = dut.i.valid & (adds | embeds)
    announced = later(glue, dut.coming.valid, dut.lead_time)
    given = {
        "announced": implies(comes, announced & (dut.i.p.row == row)),
        "row_exists": row < config.shape.dim,
    }
    begun = later(glue, comes, dut.latency)
    # Its mantissa is squared, and the square moved by twice the exponent.
    request = dut.requests[0]
    asks = request.en & (request.a == dut.o.p.mantissa) & (request.b == dut.o.p.mantissa)
    exponent = later(glue, dut.o.p.exponent, ScalarMultiplier.latency)
    moved = dut.products[0] << (2 * EXPONENT_STEP * exponent)
    squared = implies(later(glue, begun, ScalarMultiplier.latency), dut.square == moved)
    theorem = theorems.AddsUp(
        {"element": implies(begun, dut.o.valid & same & asks) & squared},
        given=given,
        shown={"greatest": begun & later(glue, adds, dut.latency) & (dut.new == n.residual.max)},
    )
    return Model(dut, theorem, glue=glue)


def reciprocals_found(config: Config) -> Model:
    """Slot after slot, and block after block: the next begins when this one was looked at. A sum of
    weights is never less than that of the maximum."""
    n, derived = config.numerics, derive(config)
    dut = Reciprocals(config)
    glue = Module()
    (product,) = stand_in(glue, dut)
    slot, running = dut.slot, dut.running
    total = Signal(derived.softmax_sum_width)
    glue.d.comb += total.eq(pick(dut.totals.sums, slot))
    # The product is asked for so long after the slot is taken; then there is the rest of the way.
    asks = 1 + Interpolator.asks_after
    rest = dut.latency - asks
    with Circuit(glue, [product]):
        least = n.weight.max
        asked = Term(later(glue, total, asks), range(least, 1 << derived.softmax_sum_width))
        m, e = fixed_math.reciprocal_operand(Terms(asked))
        (factor,) = _interpolated(glue, dut.reciprocal, tables.reciprocal(config), m)
        in_table = _is_factor(factor)
        slot_then = later(glue, slot, dut.latency)
        same_factor = expected(glue, factor, rest).equals(pick(dut.factors, slot_then))
        (shift,) = e + (n.v.f - n.attention.f + derived.lead)
        same_shift = expected(glue, shift, rest).equals(pick(dut.shifts, slot_then))
    begun = later(glue, running, asks)
    taken = later(glue, begun, rest)
    # Those of any slot stay until the next block.
    chosen = OneOf(derived.slots, "chosen_slot")
    stay = {}
    for name, ports, age in (
        ("factor", dut.factors, dut.latency),
        ("shift", dut.shifts, dut.shift_latency),
    ):
        kept = chosen.of(ports[n] for n in range(chosen.size))
        its_own = later(glue, running & (slot == chosen.which), age)
        stay[f"{name}_stays"] = its_own | _stays(glue, kept)
    equal = {"factor": implies(taken, same_factor), "shift": implies(taken, same_shift), **stay}
    given = {
        "at_least_the_maximum": implies(running, total >= least),
        "block_after_block": implies(
            dut.totals.complete, ~Cat(later(glue, running, n + 1) for n in range(dut.latency)).any()
        ),
        "table_of_factors": implies(begun, in_table),
    }
    shown = {"factor": taken & (dut.factors[derived.slots - 1] > 0)}
    theorem = theorems.FindsReciprocals(equal, given=given, shown=shown, chosen=chosen)
    return Model(dut, theorem, glue=glue, driven=("products",))


def gates(config: Config) -> Model:
    """Each step beside the product that it asks for: how gates meet their ups is not looked at."""
    n = config.numerics
    dut = SwiGlu(config)
    glue = Module()
    first, second = stand_in(glue, dut)
    rounded = ScalarMultiplier.latency + 1  # behind each product a register
    came = dut.i.valid & (dut.i.p.sink == Sink.W13) & ~dut.i.p.row[0]
    gate = dut.i.p.value[: n.gate.width].as_signed()
    with Circuit(glue, [first]):
        x: Any = Terms(later(glue, gate, dut.asks_slope)) - n.gate.min
        (sigmoid,) = _interpolated(glue, dut.sigmoid, tables.sigmoid(config), x)
        in_table = _is_factor(sigmoid)
        same_sigmoid = expected(glue, sigmoid, rounded).equals(dut.sigmoid_value)
        (ffn,) = steps.multiplied(n, Terms(first.a), Terms(first.b))
        (element,) = elements = Terms(expected(glue, ffn, rounded))
        same_ffn = element.equals(dut.ffn) & _is_operand(dut.o.p, elements, n.ffn, n.rounding)
    with Circuit(glue, [second]):
        (silu,) = steps.gated(n, Terms(second.a), Terms(second.b))
        same_silu = expected(glue, silu, rounded).equals(dut.silu)
    asked, multiplies = later(glue, came, dut.sigmoid_latency), dut.multiply
    factors = dut.requests[1]
    its_gate = later(glue, gate, dut.sigmoid_latency)
    same_operands = (factors.a == its_gate) & (factors.b == dut.sigmoid_value)
    equal = {
        "sigmoid": implies(asked, same_sigmoid),
        "gate_operands": (
            implies(asked, same_operands),
            "The second multiplier gets the gate and its sigmoid, a cycle after that is there.",
        ),
        "silu": implies(later(glue, asked, rounded), same_silu),
        "silu_operand": implies(multiplies, first.a == dut.silu),
        "ffn": implies(later(glue, multiplies, rounded), same_ffn),
    }
    looks_up = later(glue, came, dut.asks_slope)
    given = {
        "table_of_factors": implies(looks_up, in_table),
        "take_turns": (
            ~(looks_up & multiplies),
            "The phases of the drain keep gates and silus apart.",
        ),
    }
    shown = {"element": dut.o.valid & (dut.ffn != 0)}
    theorem = theorems.Gates(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))


def pairs_turned(config: Config) -> Model:
    """Pairs beside golden's turn of the operands that were asked for: first, then second half."""
    n, turn = config.numerics, derive(config).turn
    dut = Rope(config)
    cycles = dut.asks_after
    glue = Module()
    take = dut.i.valid & (dut.i.p.sink == Sink.QKV)
    query, key, value = dut.arrived.q, dut.arrived.k, dut.arrived.v
    b_here = query | key
    before = Signal.like(dut.i.p.value)
    with glue.If(take):
        glue.d.sync += before.eq(dut.i.p.value)

    # Of a half: the first product, of port 0, was asked for so many cycles before the second.
    port_0, port_1 = stand_in(glue, dut)
    age = cycles[1] - cycles[0]
    first = Product(*(later(glue, each, age) for each in (port_0.a, port_0.b, port_0.result)))
    (a, cos), (b, sin) = (first.a, first.b), (port_1.a, port_1.b)
    equal = {"a_waits": implies(dut.d[0], before == dut.waiting)}
    for half, (asked, out) in enumerate(zip(cycles[1::2], dut.latencies, strict=True)):
        if half:  # a sin, b cos
            cos, sin = sin, cos
        with Circuit(glue, [first, port_1]):
            pair = [Terms(each) for each in (a, b, cos, sin)]
            (of_query,), (of_key,) = (steps.turned(n, form, *pair)[half] for form in (n.q, n.k))
            result = select(later(glue, query, asked), of_query, of_key)
            same = expected(glue, result, out - asked).equals(dut.o.value)
        name = ("first", "second")[half]
        equal[name] = implies(later(glue, b_here, out), same)
        # a and b are the pair that came, the angle is that of the table.
        operands = (
            (a == later(glue, before, asked))
            & (b == later(glue, dut.i.p.value, asked))
            & (Cat(cos[: n.rope.width], sin[: n.rope.width]) == dut.angles.o.as_value())
        )
        equal[f"{name}_operands"] = implies(later(glue, b_here, asked), operands)
    early, late = dut.latencies
    for tensor, flag, out in (("query", query, dut.o.q), ("key", key, dut.o.k)):
        equal[tensor] = out == (later(glue, flag, early) | later(glue, flag, late))
    came = later(glue, value, late)
    passed = later(glue, dut.i.p.value, late)[: len(dut.o.value)].as_signed()
    equal["value"] = (dut.o.v == came) & implies(came, dut.o.value == passed)
    same_operands = (first.a == port_1.a) & (first.b == port_1.b)
    soon = [later(glue, b_here, cycle) for cycle in range(1, 2 * turn)]
    given = {
        "a_product_is_one": implies(same_operands, first.result == port_1.result),
        "rows_of_the_matrix": (
            implies(take, dut.section < 3),
            "Behind the last value nothing comes: rows that pad the matrix stay in the drain.",
        ),
        "pairs_in_their_time": ~(b_here & Cat(soon).any()) & ~dut.fault,
    }
    shown = {"query": dut.o.q & (dut.o.value < 0)}
    if config.shape.dim * turn <= 8:  # elsewhere keys and values come too late for a search
        shown |= {"key": dut.o.k & (dut.o.value > 0), "value": dut.o.v}
    theorem = theorems.TurnsPairs(equal, given=given, shown=shown)
    return Model(dut, theorem, glue=glue, driven=("products",))


class _Total(wiring.Component):
    """Any sum of weights."""

    def __init__(self, config: Config):
        super().__init__({"total": In(derive(config).softmax_sum_width)})

    def elaborate(self, platform):
        return Module()


def weights_sum(config: Config) -> Model:
    """Golden's lines on the table that the design has, in gates alone."""
    dut = _Total(config)
    table, least = tables.reciprocal(config), config.numerics.weight.max
    glue = Module()

    def column(entries: Sequence[int]) -> Lookup:
        bounds = range(min(entries), max(entries) + 1)
        shape = Shape.cast(bounds)
        return Lookup(
            lambda at: Term(pick([C(entry, shape) for entry in entries], at.value), bounds)
        )

    with Circuit(glue, by_bits=True):
        total = Terms(Term(dut.total, range(least, 1 << len(dut.total))))
        m, e = fixed_math.reciprocal_operand(total)
        factor = fixed_math.interpolate(table, column(table.base), column(table.slope), m)
        (product,) = total * factor
        (e,) = e
    theorem = WeightsSumToOne(
        dut.total,
        least=least,
        product=product.value,
        e=e.value[: e.high.bit_length()],
        unit=1 << TABLE_FRACTION,
        defined=product.defined & e.defined & (e.value >= 0),
    )
    return Model(dut, theorem, glue=glue, resets=False)
