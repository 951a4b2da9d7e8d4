"""Fixed-point formats: the notation SQ(i, f) and the names of rounding modes."""

import enum
from dataclasses import dataclass

from tools.errors import BadInput


class Rounding(enum.Enum):
    """How a right shift rounds.

    Examples with -2.5 and -1.5 (that is, -5 >> 1 and -3 >> 1):

    - ``TRUNCATE``: towards minus infinity. -2.5 -> -3, -1.5 -> -2, 1.5 -> 1.
    - ``HALF_UP``: to nearest, ties towards plus infinity. -2.5 -> -2, -1.5 -> -1, 1.5 -> 2.
    - ``HALF_EVEN``: to nearest, ties to even. -2.5 -> -2, -1.5 -> -2, 1.5 -> 2.
    """

    TRUNCATE = "truncate"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


@dataclass(frozen=True)
class SQ:
    """Signed fixed point with `i` integer bits (the sign counted among them) and `f` fraction bits.

    The integer ``n`` stands for ``n * 2**-f``; the width is ``i + f`` bits. Either may be zero or
    negative as long as the width is at least 2 (RFC 41 of Amaranth uses the same notation).
    """

    i: int
    f: int

    def __post_init__(self):
        if self.i + self.f < 2:
            raise BadInput(f"format SQ({self.i}, {self.f}) has {self.i + self.f} bits, needs 2")

    @property
    def width(self) -> int:
        """Bits."""
        return self.i + self.f

    @property
    def min(self) -> int:
        """Most negative integer."""
        return -(1 << (self.width - 1))

    @property
    def max(self) -> int:
        """Most positive integer."""
        return (1 << (self.width - 1)) - 1

    @property
    def scale(self) -> float:
        """Integers per unit, ``2**f``."""
        return 2.0**self.f

    def __str__(self) -> str:
        return f"SQ({self.i}, {self.f})"
