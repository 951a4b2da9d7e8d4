"""Many netlists in one: with the number of a mutant at `vd_select`, it is that mutant."""

import pytest
from amaranth import *
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mutate import schemata
from tools.yosys import run_yosys


class Inner(wiring.Component):
    """A function of two numbers."""

    def __init__(self, function):
        super().__init__({"a": In(4), "b": In(4), "o": Out(4)})
        self.function = function

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.function(self.a, self.b))
        return m


class Outer(wiring.Component):
    """Two functions, and a third of what they give."""

    def __init__(self, first, second, outer, width=4):
        super().__init__({"a": In(4), "b": In(4), "o": Out(width)})
        self.functions = first, second, outer

    def elaborate(self, platform):
        m = Module()
        first, second, outer = self.functions
        m.submodules.one = one = Inner(first)
        m.submodules.two = two = Inner(second)
        for inner in (one, two):
            m.d.comb += [inner.a.eq(self.a), inner.b.eq(self.b)]
        m.d.comb += self.o.eq(outer(one.o, two.o))
        return m


class Top(Elaboratable):
    """A module around it, so that all of it can be a variant."""

    def __init__(self, *of, **more):
        self.outer = Outer(*of, **more)
        self.a, self.b, self.o = Signal(4), Signal(4), Signal(self.outer.o.shape())

    def elaborate(self, platform):
        m = Module()
        m.submodules.outer = self.outer
        m.d.comb += [self.outer.a.eq(self.a), self.outer.b.eq(self.b), self.o.eq(self.outer.o)]
        return m


def netlist(first, second, outer, **more) -> str:
    top = Top(first, second, outer, **more)
    return rtlil.convert(top, name="top", ports=[top.a, top.b, top.o], emit_src=False)


def plus(a, b):
    return a + b


def xor(a, b):
    return a ^ b


ORIGINAL = netlist(plus, xor, plus)
MUTANTS = {
    "one module": netlist(lambda a, b: a - b, xor, plus),
    "another module": netlist(plus, lambda a, b: a & b, plus),
    "a module without one input": netlist(plus, lambda a, b: ~a, plus),
    "two modules": netlist(xor, plus, plus),
    "the module around them": netlist(plus, xor, lambda a, b: a - b),
    "all of them": netlist(xor, lambda a, b: ~b, lambda a, b: a | b),
}
_EQUAL = """
read_rtlil merged.il
hierarchy -top top
proc
flatten
opt_clean
rename top gate
design -stash gate
read_rtlil mutant.il
hierarchy -top top
proc
flatten
opt_clean
add -input vd_select 16
rename top gold
design -copy-from gate gate
miter -equiv -make_outputs gold gate miter
flatten miter
sat -verify -prove trigger 0 -set in_vd_select {number} miter
"""


@pytest.mark.parametrize("number", range(len(MUTANTS) + 1), ids=["original", *MUTANTS])
def test_the_number_chooses_the_mutant(tmp_path, number):
    texts = [ORIGINAL, *MUTANTS.values()]
    (tmp_path / "merged.il").write_text(schemata.merged(ORIGINAL, texts[1:]))
    (tmp_path / "mutant.il").write_text(texts[number])
    run_yosys(_EQUAL.format(number=number), tmp_path)


def test_another_number_does_not(tmp_path):
    (tmp_path / "merged.il").write_text(schemata.merged(ORIGINAL, list(MUTANTS.values())))
    (tmp_path / "mutant.il").write_text(MUTANTS["one module"])
    with pytest.raises(Exception, match="proof did fail"):
        run_yosys(_EQUAL.format(number=2), tmp_path)


@pytest.mark.parametrize(
    ("mutant", "changed"),
    [
        ("one module", ["\\top.outer.one"]),
        ("a module without one input", ["\\top.outer.two"]),
        ("two modules", ["\\top.outer.one", "\\top.outer.two"]),
        ("the module around them", ["\\top.outer"]),
    ],
)
def test_only_what_differs_is_a_variant(mutant, changed):
    places = schemata.places(schemata.Design(ORIGINAL), schemata.Design(MUTANTS[mutant]))
    assert [place.name for place in places] == changed


def test_equal_netlists_have_no_variant():
    assert not schemata.places(schemata.Design(ORIGINAL), schemata.Design(ORIGINAL))


def test_other_ports_of_the_top_level_cannot_be_merged():
    with pytest.raises(schemata.NotMergeable):
        schemata.merged(ORIGINAL, [netlist(plus, xor, plus, width=5)])
