"""What a unit declares of a memory that it holds.

`synth` compares what all units of a decoder declare with the memories that the tools find in the
synthesised netlist, and how they map them.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from amaranth import *
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory

#: A memory of at least so many bits is to lie in block RAM; of a smaller one the tools may make
#: RAM of LUTs, and of a smaller table logic. Half of what a block holds on ECP5 and 7 series.
BLOCK_BITS = 8192


class Purpose(StrEnum):
    """What a memory is for."""

    CACHE = "cache"
    ACTIVATION = "activation"
    SCORE = "score"
    TABLE = "table"


@dataclass(frozen=True, kw_only=True)
class Ram:
    """One memory: a read port, and a write port unless it is a table."""

    name: str
    """Path of its instance below the unit that declares it, parts joined by dots."""
    purpose: Purpose
    depth: int
    """Words."""
    width: int
    """Bits of a word."""
    lane: int
    """Bits that a write changes on their own."""

    @classmethod
    def of(cls, name: str, memory: Memory, purpose: Purpose, *, lane: int | None = None) -> "Ram":
        """That of `memory`; writes change whole words, unless a `lane` is given."""
        width = Shape.cast(memory.shape).width
        return cls(name=name, purpose=purpose, depth=memory.depth, width=width, lane=lane or width)

    @classmethod
    def of_queue(cls, name: str, queue: SyncFIFO, purpose: Purpose) -> "Ram":
        """That of the storage of `queue`, which is the submodule `name`."""
        width = queue.width
        return cls(
            name=f"{name}.storage", purpose=purpose, depth=queue.depth, width=width, lane=width
        )

    def below(self, unit: str) -> "Ram":
        """The same, named from where `unit` is a submodule."""
        return dataclasses.replace(self, name=f"{unit}.{self.name}")

    @property
    def reads(self) -> int:
        """Read ports."""
        return 1

    @property
    def writes(self) -> int:
        """Write ports."""
        return int(self.purpose is not Purpose.TABLE)

    @property
    def block_ram(self) -> bool:
        """Whether it must lie in block RAM, on every device."""
        return self.depth * self.width >= BLOCK_BITS
