"""Models of the tables that the elaborated units hold, at any of their inputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from design.interpolate import Interpolator, entry_layout
from design.reciprocals import Reciprocals
from design.rmsnorm import RmsNorm
from design.softmax import Softmax
from design.swiglu import SwiGlu
from formal.harness.terms import Circuit, Lookup, Term, Terms
from formal.model import Model
from golden import fixed_math
from properties.tables import TableOfFactors, WeightsOfTheTable
from spec import tables
from spec.config import Config

#: Units with an `Interpolator`: the unit, that in it, and its table.
INTERPOLATORS: Mapping[
    str, tuple[Callable[[Config], Any], Callable[[Any], Interpolator], Callable[[Config], Any]]
] = {
    "norm": (RmsNorm, lambda norm: norm.rsqrt, tables.rsqrt),
    "reciprocals": (Reciprocals, lambda unit: unit.reciprocal, tables.reciprocal),
    "swiglu": (SwiGlu, lambda swiglu: swiglu.sigmoid, tables.sigmoid),
}


class _Index(wiring.Component):
    """Any input of a table."""

    def __init__(self, bits: int):
        super().__init__({"x": In(bits)})

    def elaborate(self, platform):
        return Module()


def _held(memory: Memory) -> list[int]:
    """The words that a memory of an elaborated unit begins with, and keeps: none can write it."""
    assert not memory.write_ports, "a table"
    return [Const.cast(Const(word, memory.shape)).value for word in memory.init]


def _picked(words: Sequence[Value], index: Value) -> Value:
    """The word at `index`, by a tree of multiplexers: of a case, yosys makes a memory, whose words
    an induction does not know."""
    for bit in index:
        odd = [*words[1::2], *words[-1:]][: len(words[::2])]
        words = [Mux(bit, high, low) for low, high in zip(words[::2], odd, strict=True)]
    return words[0]


def factors(config: Config, *, unit: str) -> Model:
    """Golden's interpolation in the words that are in the memory."""
    component_of, interpolator_of, table_of = INTERPOLATORS[unit]
    component, table = component_of(config), table_of(config)
    Fragment.get(component, None)  # its memories have their ports from now on
    words = _held(interpolator_of(component).memory)
    layout = entry_layout(table)
    dut = _Index(table.input_bits)
    glue = Module()
    word = Signal(layout)
    node = dut.x[table.fraction_bits :]
    glue.d.comb += word.as_value().eq(_picked([C(each, layout.size) for each in words], node))

    def column(field: str) -> Lookup:
        return Lookup(lambda at: Term(word[field], defined=[at.value == node]))

    with Circuit(glue):
        x = Terms(dut.x)
        (factor,) = fixed_math.interpolate(table, column("base"), column("slope"), x)
    theorem = TableOfFactors(factor.value, defined=factor.defined)
    return Model(dut, theorem, glue=glue, resets=False)


def exp2(config: Config) -> Model:
    """The words of the tables of all slots: those that are equal are drawn once."""
    weight = config.numerics.weight
    softmax = Softmax(config)
    Fragment.get(softmax, None)
    dut = _Index(config.numerics.score.f)
    glue = Module()
    entries: list[Signal] = []
    for words in {tuple(_held(table)) for table in softmax.tables}:
        entry = Signal(weight.f, name=f"entry_{len(entries)}")
        glue.d.comb += entry.eq(_picked([C(word, weight.f) for word in words], dut.x))
        entries.append(entry)
    theorem = WeightsOfTheTable(dut.x, entries, greatest=weight.max)
    return Model(dut, theorem, glue=glue, resets=False)
