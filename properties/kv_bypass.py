"""A read of the KV cache that meets its write."""

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_contract import Owner, suppose_accesses
from properties.kv_element import KvElement, Tensor


class KvBypass(Theorem):
    """A read that starts in the very cycle its element is written returns the new value."""

    def __init__(self, owner: Owner, tensor: Tensor):
        self.owner = owner
        self.element = KvElement(owner, tensor)

    def describe(self, m: Module) -> None:
        owner, element = self.owner, self.element
        element.connect(m, self)
        suppose_accesses(self, owner)

        met = Signal()
        new = Signal(signed(owner.width))
        m.d.sync += [met.eq(element.read & element.written), new.eq(owner.wr_data)]

        self.claim(
            "returns_new_value",
            implies(met, element.shown == new),
            "The cycle after the meeting, the slot shows the new value.",
        )

        self.witness("meeting", met & (new != 0))
