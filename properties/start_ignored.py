"""A start that comes while its component works."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth import *

from properties.dialect import Theorem


@dataclass(eq=False, kw_only=True)
class StartIgnored(Theorem):
    """A start that comes while the component works changes nothing, now or later.

    Two of the component get the same inputs, but the second no start while it works: all that they
    show is the same. `pairs` are their outputs, and `inside` their registers, by name; `strays` is
    high when a start is kept from the second.
    """

    pairs: Mapping[str, tuple[Value, Value]]
    inside: Mapping[str, tuple[Value, Value]]
    strays: Value

    def describe(self, m: Module) -> None:
        same = Cat(one == other for one, other in self.pairs.values()).all()
        self.claim("same_outputs", same, "The two cannot be told apart.")
        alike = Cat(one == other for one, other in self.inside.values()).all()
        self.claim("same_registers", alike, "Nor will they be: their registers are the same.")

        strayed = Signal()
        m.d.sync += strayed.eq(self.strays)
        self.witness("strayed", strayed)
