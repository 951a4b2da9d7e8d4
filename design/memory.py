"""What is declared of a memory of the decoder."""

from dataclasses import dataclass
from typing import Literal

from design.arith import ram_depth

Purpose = Literal["cache", "activation", "score", "table"]

#: A memory of at least so many bits is to lie in block RAM; of a smaller one the tools may make
#: RAM of LUTs, and of a smaller table logic. Half of what a block holds on ECP5 and 7 series.
BLOCK_BITS = 8192


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One memory of the decoder.

    `lane` are the bits that a write changes on their own; a table has no write port.
    """

    name: str
    """Path of its instance below the decoder, parts joined by dots."""
    purpose: Purpose
    depth: int
    """Words."""
    width: int
    """Bits of a word."""
    lane: int
    reads: int = 1
    writes: int = 1

    @property
    def block_ram(self) -> bool:
        """Whether it must lie in block RAM, on every device."""
        return self.depth * self.width >= BLOCK_BITS


def vector(name: str, elements: int, width: int) -> Memory:
    """One that is written and read an element at a time."""
    return Memory(
        name=name, purpose="activation", depth=ram_depth(elements), width=width, lane=width
    )


def table(name: str, entries: int, width: int) -> Memory:
    """One that is never written."""
    return Memory(
        name=name, purpose="table", depth=ram_depth(entries), width=width, lane=width, writes=0
    )
