"""When a sum comes out of the writeback."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem


class ResultsInTime(Theorem):
    """Each sum that is neither for the residual nor a bias leaves the writeback `delay` cycles
    after it came, as the same row, and nothing else ever leaves; one for the residual is announced
    in the cycle before it leaves.

    `writeback` has the signature of `design.writeback.Writeback`, `direct` says of sums that come
    that they are for the residual or biases, `direct_out` of those that leave that they are for the
    residual.
    """

    def __init__(self, writeback: Any, *, direct: Value, direct_out: Value, delay: int):
        self.writeback = writeback
        self.direct = direct
        self.direct_out = direct_out
        self.delay = delay

    def describe(self, m: Module) -> None:
        came, scaled = self.writeback.i.p, self.writeback.scaled.p
        name = Cat(self.writeback.i.valid & ~self.direct, came.sink, came.row, came.slot)
        for cycle in range(self.delay):
            later = Signal(len(name), name=f"came_{cycle + 1}_ago")
            m.d.sync += later.eq(name)
            name = later

        self.claim(
            "in_time",
            self.writeback.scaled.valid == name[0],
            "A result is there exactly when its sum came so long ago.",
        )
        same = Cat(name[0], scaled.sink, scaled.row, scaled.slot) == name
        self.claim("the_same", ~self.writeback.scaled.valid | same, "It is that of the sum.")

        announced = Signal(1 + len(self.writeback.coming.p))
        m.d.sync += announced.eq(Cat(self.writeback.coming.valid, self.writeback.coming.p))
        leaves = Cat(C(1, 1), self.writeback.o.p.row)
        for_residual = self.writeback.o.valid & self.direct_out
        self.claim(
            "announced",
            ~for_residual | (announced == leaves),
            "What the residual gets was announced in the cycle before, as the same row.",
        )

        self.witness("result", self.writeback.scaled.valid)
