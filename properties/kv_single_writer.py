"""Who writes the KV cache, and where."""

from collections.abc import Mapping

from amaranth import *

from properties.dialect import Theorem
from properties.kv_contract import Owner, one_write, write_in_range
from properties.kv_element import Tensor


class KvSingleWriter(Theorem):
    """In a cycle at most one element of one bank is written: the one asked for, or none.

    `lanes_written` holds, per tensor and head, the write enables of that bank's only write port.
    """

    def __init__(self, owner: Owner, lanes_written: Mapping[tuple[Tensor, int], Value]):
        self.owner = owner
        self.lanes_written = lanes_written

    def describe(self, m: Module) -> None:
        owner = self.owner
        self.suppose("one_write", *one_write(owner))
        self.suppose("write_in_range", *write_in_range(owner))

        asked = {Tensor.KEY: owner.wr_en_k, Tensor.VALUE: owner.wr_en_v}
        every = Cat(self.lanes_written.values())
        right = [
            lanes.any() == (asked[tensor] & (owner.wr_head_kv == head))
            for (tensor, head), lanes in self.lanes_written.items()
        ]
        self.claim(
            "one_element",
            (every & (every - 1))[: len(every)] == 0,
            "At most one element, over all banks, is written.",
        )
        self.claim(
            "as_asked",
            Cat(right).all(),
            "A bank is written exactly when a write to its tensor and head is asked for: "
            "none is dropped, none invented, none misdirected.",
        )

        self.witness("key_written", owner.wr_en_k)
        self.witness("value_written", owner.wr_en_v)
