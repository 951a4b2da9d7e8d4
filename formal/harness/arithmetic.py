"""Models of the units that compute: each beside the circuit that golden's own lines draw.

Multipliers are abstracted (`terms.Circuit`): anything may come back for a
product, the same to the unit and to golden when both ask for the same one.
"""

from amaranth import *
from amaranth.hdl import ValueLike, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from design.requantize import requantize, shift_right
from design.scalar import ScalarMultiplier
from formal.harness.terms import Circuit, Product, Term, Terms
from formal.model import Model
from golden import fixed_math
from properties import golden as theorems
from properties.dialect import anything, implies
from spec import tables
from spec.config import Config
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.fixed import SQ, Rounding


def later(m: Module, value: Value, cycles: int, *, en: ValueLike = 1) -> Value:
    """`value` of so many cycles ago; where there is a clock enable, of so many enabled ones."""
    for cycle in range(cycles):
        register = Signal.like(value, name=f"ago_{cycle + 1}")
        with m.If(en):
            m.d.sync += register.eq(value)
        value = register
    return value


def expected(m: Module, term: Term, cycles: int, *, en: ValueLike = 1) -> Term:
    """What golden made of the inputs of so many (enabled) cycles ago."""
    term = term._fixed()
    value, defined = later(m, term.value, cycles, en=en), later(m, term.defined, cycles, en=en)
    return Term(value, range(term.low, term.high + 1), defined=defined)


def stand_in(m: Module, unit: wiring.Component, ages: int = 1) -> list[Product]:
    """Answers `unit`'s requests, and says what was asked for now and in the cycles before."""
    products = []
    for port, (request, product) in enumerate(zip(unit.requests, unit.products, strict=True)):
        result = Signal(signed(2 * SCALAR_BITS), name=f"result_{port}")
        m.d.comb += [
            result.eq(anything(len(result))),
            product.eq(later(m, result, ScalarMultiplier.latency)),
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
    """A scalar multiplier of as many clients as there are in any decoder: idle ones are silent, so
    fewer are no other case. Its operands and golden's share a product."""
    dut = ScalarMultiplier(8)
    glue = Module()
    made = Product(dut.a, dut.b, dut.a * dut.b)
    given, equal = {"one_at_a_time": ~dut.fault}, {}
    for client, request in enumerate(dut.requests):
        # Behind the operands there is just the product.
        asked = ScalarMultiplier.latency - 1
        a, b = (later(glue, each, asked) for each in (request.a, request.b))
        given[f"silent_{client}"] = request.en | (request.as_value() == 0)
        # Whoever asked has its operands multiplied, in the next cycle.
        own = (made.a == a) & (made.b == b)
        equal[f"client_{client}"] = implies(later(glue, request.en, asked), own)
    with Circuit(glue, [made]):
        (product,) = Terms(made.a) * Terms(made.b)
        same = expected(glue, product, 1).equals(dut.product)
    equal["product"] = implies(later(glue, C(1, 1), 1), same)
    theorem = theorems.Multiplies(equal, given=given, shown={"negative": dut.product < 0})
    return Model(dut, theorem, glue=glue)
