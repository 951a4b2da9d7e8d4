"""Where the cache's banks are read and written."""

from collections.abc import Sequence

from amaranth import *

from properties.dialect import Theorem, implies
from properties.kv_contract import Owner, read_in_range, write_in_range


class KvInRange(Theorem):
    """No bank is read or written at an address that it does not have, whatever the sizes.

    `accesses` holds, for every port of every bank, its enable, its address and the bank's depth.
    """

    def __init__(self, owner: Owner, accesses: Sequence[tuple[Value, Value, int]]):
        self.owner = owner
        self.accesses = accesses

    def describe(self, m: Module) -> None:
        owner = self.owner
        self.suppose("write_in_range", *write_in_range(owner))
        self.suppose("read_in_range", *read_in_range(owner))
        inside = [implies(en.any(), addr < depth) for en, addr, depth in self.accesses]
        self.claim(
            "address_in_range",
            Cat(inside).all(),
            "Every port that is enabled has an address of its bank.",
        )

        corner = (owner.wr_pos == owner.seq_len - 1) & (owner.wr_d == owner.head_dim - 1)
        self.witness("last_key", owner.wr_en_k & corner)
        self.witness("last_value", owner.wr_en_v & corner)
