"""Cosine and sine by rotations: the integers of RoPE by CORDIC, for golden and RTL.

An angle is a *phase*, an unsigned fraction of a full turn. That of a pair grows by a constant step
with each position and wraps around, so it needs no table over positions. The step is rounded once;
a phase is ``position * step`` exactly, and off by at most half its last bit for each position:
`phase_bits` are so many that over the whole context this stays below 1/80 of the last bit of a
result.

The two top bits of a phase are the quadrant. The rest is turned to by micro-rotations (J. E.
Volder, "The CORDIC Trigonometric Computing Technique", 1959; J. S. Walther, "A unified algorithm
for elementary functions", 1971): from the vector (1 / gain, 0) by plus or minus atan(2**-i),
whichever brings the remaining angle towards zero, with shifts and additions alone.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from spec.fixed import SQ

#: Fraction bits that the rotations have more than their result: each may lose one unit of the last.
GUARD_BITS = 7


@dataclass(frozen=True)
class Cordic:
    """The constants of one CORDIC: phases in `phase_bits`, results in `form`."""

    form: SQ
    phase_bits: int
    steps: tuple[int, ...]
    """By how much the phase of each pair grows with a position."""

    @property
    def iterations(self) -> int:
        """Micro-rotations."""
        return self.form.f + 4

    @property
    def fraction(self) -> int:
        """Fraction bits of the vector while it turns, and of its angle in quarter turns."""
        return self.form.f + GUARD_BITS

    @functools.cached_property
    def start(self) -> int:
        """The first vector's length: what the gain of all rotations brings to 1."""
        gain = math.prod(math.sqrt(1 + 4.0**-i) for i in range(self.iterations))
        return round(2**self.fraction / gain)

    @functools.cached_property
    def arctangents(self) -> tuple[int, ...]:
        """The angle of each micro-rotation, in units of 2**-fraction of a quarter turn."""
        unit = math.pi / 2 / 2**self.fraction
        return tuple(round(math.atan(2.0**-i) / unit) for i in range(self.iterations))

    def phase(self, position: int, pair: int) -> int:
        """The phase of a pair at a position."""
        return position * self.steps[pair] % (1 << self.phase_bits)

    def turned(self, phase: int) -> tuple[int, int]:
        """(cosine, sine) of a phase, in `form`."""
        quarter = self.phase_bits - 2
        quadrant, rest = divmod(phase, 1 << quarter)
        z = (rest << self.fraction) >> quarter
        x, y = self.start, 0
        for i, angle in enumerate(self.arctangents):
            if z >= 0:
                x, y, z = x - (y >> i), y + (x >> i), z - angle
            else:
                x, y, z = x + (y >> i), y - (x >> i), z + angle
        cos, sin = ((value + (1 << (GUARD_BITS - 1))) >> GUARD_BITS for value in (x, y))
        return ((cos, sin), (-sin, cos), (-cos, -sin), (sin, -cos))[quadrant]


@functools.cache
def cordic(rates: tuple[float, ...], seq_len: int, form: SQ) -> Cordic:
    """The CORDIC of pairs that turn at `rates` (radians a position) over `seq_len` positions."""
    phase_bits = form.f + 8 + (seq_len - 1).bit_length()
    whole = 1 << phase_bits
    steps = tuple(round(rate / (2 * math.pi) * whole) % whole for rate in rates)
    return Cordic(form, phase_bits, steps)


def rotations(rates: tuple[float, ...], seq_len: int, form: SQ) -> Iterator[tuple[int, int]]:
    """(cosine, sine) position after position, pair after pair."""
    constants = cordic(rates, seq_len, form)
    for position in range(seq_len):
        for pair in range(len(rates)):
            yield constants.turned(constants.phase(position, pair))
