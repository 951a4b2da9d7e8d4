"""Who writes the KV caches in the whole decoder."""

from collections.abc import Mapping

from amaranth import *

from properties.dialect import Theorem


class KvAssembledWriter(Theorem):
    """In the whole decoder at most one element of one bank of one layer is written in a cycle.

    Nothing is assumed: tokens, weights and stalls are what they want. `lanes_written` holds the
    write enables of every bank's only write port, by tensor (``k`` or ``v``), layer and head.
    """

    def __init__(self, lanes_written: Mapping[tuple[str, int, int], Value]):
        self.lanes_written = lanes_written

    def describe(self, m: Module) -> None:
        every = Signal(sum(len(lanes) for lanes in self.lanes_written.values()))
        keys = Cat(lanes for (tensor, *_), lanes in self.lanes_written.items() if tensor == "k")
        values = Cat(lanes for (tensor, *_), lanes in self.lanes_written.items() if tensor == "v")
        m.d.comb += every.eq(Cat(keys, values))

        self.claim(
            "one_element",
            (every & (every - 1))[: len(every)] == 0,
            "At most one element, over all banks of all layers, is written.",
        )
        self.claim(
            "key_or_value",
            ~(keys.any() & values.any()),
            "A key and a value are never written in one cycle.",
        )

        self.witness("key_written", keys.any())
        self.witness("value_written", values.any())
