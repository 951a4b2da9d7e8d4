"""The formal vocabulary. Amaranth's own is imported here and nowhere else.

Amaranth gives assertion cells automatic names. Here every claim carries the name of its property
as the cell's message; the runner renames the cell after it, so that solvers, traces and reports
all speak of properties.
"""

from amaranth import *
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Cover, ValueLike
from amaranth.hdl._ast import Property

__all__ = ["ASSERT_FAIR", "ASSUME_FAIR", "Theorem", "anything", "implies"]

#: Outputs so called state liveness: high infinitely often, by claim or by assumption.
ASSERT_FAIR = "assert_fair_"
ASSUME_FAIR = "assume_fair_"


class Theorem(Elaboratable):
    """Base of all theorems; the docstring of a subclass is the theorem in one sentence.

    A subclass watches signals of a component, adds shadow state of its own, and states claims.
    Its `elaborate` returns a module whose statements come from the methods below; a name is used
    once in a theorem.
    """

    @classmethod
    def sentence(cls) -> str:
        """The theorem: the first paragraph of the docstring."""
        return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())

    def claim(self, name: str, condition: ValueLike) -> Property:
        """An obligation: `condition` holds in every cycle in which this statement is active."""
        return Assert(condition, name)

    def suppose(self, name: str, condition: ValueLike) -> Property:
        """The environment's half of the contract: only runs in which `condition` holds count."""
        return Assume(condition, name)

    def witness(self, name: str, condition: ValueLike) -> Property:
        """Some run makes `condition` true: the claims are not met for want of an occasion."""
        return Cover(condition, name)

    def choose(self, m: Module, signal: Signal, size: int) -> None:
        """Let the solver pick `signal`, once and for all cycles, out of range(size)."""
        if len(signal) > 0:
            m.d.comb += signal.eq(self.constant(len(signal)))
        m.d.comb += self.suppose(f"{signal.name}_in_range", signal < size)

    def constant(self, bits: int) -> Value:
        """What the solver picks, once and for all cycles."""
        return AnyConst(bits)


def implies(antecedent: ValueLike, consequent: ValueLike) -> Value:
    """``antecedent -> consequent`` for one-bit values."""
    return ~Value.cast(antecedent).bool() | Value.cast(consequent).bool()


def anything(bits: int) -> Value:
    """What the solver likes, anew in every cycle."""
    return AnySeq(bits)
