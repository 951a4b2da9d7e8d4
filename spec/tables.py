"""Function tables as parameter objects: golden decoder and RTL read the same integers."""

import functools
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spec import cordic
from spec.config import Config, RopeBy
from spec.derived import SCALAR_BITS, TABLE_FRACTION, derive
from spec.fixed import SQ
from tools.errors import BadInput


@dataclass(frozen=True)
class Interpolated:
    """A piecewise linear function of an unsigned input, with 2**index_bits nodes.

    An input x of ``index_bits + fraction_bits`` bits selects node ``n = x >> fraction_bits``;
    the value is ``base[n] + round_half_up(slope[n] * (x mod 2**fraction_bits) / 2**fraction_bits)``
    in units of 2**-TABLE_FRACTION.
    """

    index_bits: int
    fraction_bits: int
    base: tuple[int, ...]
    slope: tuple[int, ...]

    @property
    def input_bits(self) -> int:
        """Bits of the input."""
        return self.index_bits + self.fraction_bits


def _interpolated(
    function: Callable[[float], float], start: float, stop: float, index_bits: int, bits: int
) -> Interpolated:
    """Tabulate `function` on [start, stop), the range of an input of `bits` bits."""
    nodes = 1 << index_bits
    step = (stop - start) / nodes
    values = [round(function(start + n * step) * 2**TABLE_FRACTION) for n in range(nodes + 1)]
    return Interpolated(
        index_bits=index_bits,
        fraction_bits=bits - index_bits,
        base=tuple(values[:-1]),
        slope=tuple(b - a for a, b in itertools.pairwise(values)),
    )


def rsqrt(config: Config) -> Interpolated:
    """The table of RMSNorm: sqrt(dim) / sqrt(s) of an integer s > 0.

    s = m * 4**e with m in [1, 4); the table holds ``sqrt(dim) / 2**norm_growth / sqrt(m)``, above
    1/4 and at most 1, for an 18-bit m with two integer bits. Then
    ``sqrt(dim) / sqrt(s) = table(m) * 2**(norm_growth - e)``.
    """
    scale = math.sqrt(config.shape.dim) / 2 ** derive(config).norm_growth
    # Normalised inputs are at least 1; the nodes below are never read.
    return _interpolated(
        lambda m: scale / math.sqrt(max(m, 1.0)),
        0.0,
        4.0,
        config.numerics.rsqrt_index_bits,
        SCALAR_BITS,
    )


def reciprocal(config: Config) -> Interpolated:
    """1 / m for m in [1, 2); the input is the 18 bits after the leading one."""
    return _interpolated(
        lambda m: 1.0 / m, 1.0, 2.0, config.numerics.reciprocal_index_bits, SCALAR_BITS
    )


def sigmoid(config: Config) -> Interpolated:
    """1 / (1 + exp(-u)) over the whole range of the gate format.

    The input is the gate plus 2**(width - 1), so that the most negative gate is at 0.
    """
    gate = config.numerics.gate
    limit = 2.0 ** (gate.i - 1)
    return _interpolated(
        lambda u: 1.0 / (1.0 + math.exp(-u)),
        -limit,
        limit,
        config.numerics.sigmoid_index_bits,
        gate.width,
    )


def exp2(config: Config) -> tuple[int, ...]:
    """2**(-i / 2**f) for every fraction i of a score with f fraction bits, as softmax weights."""
    weight, fraction = config.numerics.weight, config.numerics.score.f
    return tuple(
        min(weight.max, round(weight.scale * 2.0 ** (-i / (1 << fraction))))
        for i in range(1 << fraction)
    )


@dataclass(frozen=True)
class Rope:
    """Cosine and sine of pos * `Shape.rope_rates[pair]`, at ``pos * pairs + pair``.

    What RoPE turns by, whether the hardware has it as a table or not.
    """

    pairs: int
    cos: tuple[int, ...]
    sin: tuple[int, ...]


#: (cosine, sine) position after position, pair after pair.
Rotations = Iterable[tuple[int, int]]


def _rounded(rates: tuple[float, ...], seq_len: int, form: SQ) -> Rotations:
    for position, rate in itertools.product(range(seq_len), rates):
        angle = position * rate
        yield round(math.cos(angle) * form.scale), round(math.sin(angle) * form.scale)


#: Of each variant: its rotations at so many radians a position, over so many positions.
ROTATIONS: dict[RopeBy, Callable[[tuple[float, ...], int, SQ], Rotations]] = {
    RopeBy.TABLE: _rounded,
    RopeBy.CORDIC: cordic.rotations,
}


@functools.cache
def _rope(rope_by: RopeBy, rates: tuple[float, ...], seq_len: int, form: SQ) -> Rope:
    cos, sin = zip(*ROTATIONS[rope_by](rates, seq_len, form), strict=True)
    return Rope(pairs=len(rates), cos=cos, sin=sin)


def rope(config: Config) -> Rope:
    """The rotations of the rotary embedding."""
    shape, n = config.shape, config.numerics
    return _rope(n.rope_by, shape.rope_rates, shape.seq_len, n.rope)


def check_scalar(table: Interpolated) -> None:
    """Raise :class:`BadInput` unless slope and fraction fit the scalar multiplier."""
    widest = max(abs(slope) for slope in table.slope)
    if table.fraction_bits >= SCALAR_BITS or widest >= 1 << (SCALAR_BITS - 1):
        raise BadInput(
            f"a table with {table.index_bits} index bits leaves {table.fraction_bits} fraction"
            f" bits and slopes up to {widest}: too wide for {SCALAR_BITS}-bit multipliers"
        )
