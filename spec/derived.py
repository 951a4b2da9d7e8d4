"""Numbers that follow from a configuration."""

import functools
import math
from dataclasses import dataclass

from spec.config import Config
from spec.fixed import SQ
from tools.errors import BadInput

#: Bits of the right shift that travels in a row header. Fits into the narrowest weight.
SHIFT_BITS = 5
#: Largest right shift that a header can hold.
MAX_SHIFT = (1 << SHIFT_BITS) - 1
#: Operand width of the scalar multipliers (a DSP block of every FPGA family has 18 x 18).
SCALAR_BITS = 18
#: log2 of the base of a floating-point operand: its exponents are powers of 2**4.
EXPONENT_STEP = 4
#: Fraction bits of the values of the interpolated tables (rsqrt, reciprocal, sigmoid).
TABLE_FRACTION = 16
#: Most query heads processed at once: each slot costs a score memory and an exp2 table.
MAX_SLOTS = 8


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below a / b."""
    return -(-a // b)


def ceil_pow2(n: int) -> int:
    """Smallest power of two not below n."""
    return 1 << (n - 1).bit_length()


def sum_width(terms: int, *factor_widths: int) -> int:
    """Signed bits that hold a sum of `terms` products of signed factors, whatever their values.

    A signed factor of w bits is at most 2**(w-1) in magnitude, so the sum is at most
    ``terms * 2**sum(w-1)``: an accumulator of this width cannot overflow.
    """
    return (terms << sum(width - 1 for width in factor_widths)).bit_length() + 1


def exponents(form: SQ) -> int:
    """Number of exponents of the operand that `form` is rounded to; 1 means plain fixed point.

    Enough that the greatest magnitude fits the mantissa even when rounding carries.
    """
    if form.width <= SCALAR_BITS:
        return 1
    return ceil_div(form.width - (SCALAR_BITS - 1), EXPONENT_STEP) + 1


def mantissa_bits(form: SQ) -> int:
    """Bits of the mantissa of that operand, sign included."""
    return min(form.width, SCALAR_BITS)


def operand_bits(form: SQ) -> int:
    """Bits of the integer ``mantissa << (EXPONENT_STEP * exponent)`` for any two values."""
    return mantissa_bits(form) + EXPONENT_STEP * (exponents(form) - 1)


@dataclass(frozen=True)
class Derived:
    """How a configuration is mapped onto its multiplier array.

    Projections put one output row on each lane. Attention splits the lanes into `slots` query
    heads of `per_slot` lanes each: scores put consecutive positions on the lanes of a slot,
    the value pass consecutive elements of the head.
    """

    slots: int
    """Query heads processed at once (a power of two)."""
    per_slot: int
    """Lanes of one slot, lanes / slots."""
    head_blocks: int
    """Rounds that give every query head a slot, ceil(heads / slots)."""
    k_word: int
    """Positions in one key word."""
    v_word: int
    """Elements of a head in one value word."""
    v_words: int
    """Value words of one position, ceil(head_dim / v_word)."""
    kv_width: int
    """Bits of a cache element (the wider of key and value)."""
    a_width: int
    """Bits of the lane operand: weight, key or value."""
    b_width: int
    """Bits of the broadcast operand: mantissa of an activation, query or softmax weight."""
    b_exponents: int
    """Number of exponents of the broadcast operand."""
    acc_width: int
    """Bits of a lane's accumulator, wide enough for every sum of the schedule."""
    softmax_sum_width: int
    """Bits of the (unsigned) sum of softmax weights."""
    square_sum_width: int
    """Bits of the sum of squares with epsilon added, rounded up to an even number."""
    epsilon: int
    """dim * norm_epsilon in units of a squared residual, at least 1."""
    one: int
    """The activation 1.0, by which an embedding row is multiplied in the array."""
    one_format: SQ
    """The format of `one`."""
    norm_growth: int
    """Bits of sqrt(dim), the constant in the factor of a norm."""
    norm_floor: int
    """Least exponent of a sum of squares (in powers of 4), that of epsilon alone."""
    lead: int
    """Pre-shift: bits by which every sum is shifted left before its right shift, so that no
    header is negative."""
    shift_width: int
    """Bits of the right shift of a sum: header plus exponent of its factor."""
    header_passes: int
    """Passes whose shifts fit into one header beat."""
    scalar_multipliers: int
    """Multipliers beside the array: 3, or 1 if a pass is long enough to share one."""
    turn: int
    """Initiation interval: cycles from one element to the next, 3 / scalar_multipliers."""

    @property
    def normed_fraction(self) -> int:
        """Fraction bits of the residual divided by the power of two of its rms, at `norm_floor`."""
        return self.norm_floor - self.norm_growth


def _slots(config: Config) -> int:
    """The number of slots with the fewest array cycles; the larger number on a tie."""
    shape, lanes = config.shape, config.geometry.lanes

    def cost(slots: int) -> float:
        per_slot = lanes // slots
        score = max(shape.head_dim, per_slot) / per_slot  # a slot drains one score a cycle
        value = ceil_div(shape.head_dim, per_slot)
        return ceil_div(shape.heads, slots) * (score + value)

    limit = min(lanes, shape.heads, MAX_SLOTS)
    choices = [1 << n for n in range(limit.bit_length()) if 1 << n <= limit]
    return min(choices, key=lambda slots: (cost(slots), -slots))


@functools.cache
def derive(config: Config) -> Derived:
    """The numbers for `config`; raises :class:`BadInput` where formats do not fit together."""
    shape, numerics, lanes = config.shape, config.numerics, config.geometry.lanes
    slots = _slots(config)
    per_slot = lanes // slots
    v_word = min(per_slot, ceil_pow2(shape.head_dim))
    activations = (
        numerics.residual,
        numerics.q,
        numerics.weight,
        numerics.attention,
        numerics.ffn,
    )
    kv_width = max(numerics.k.width, numerics.v.width)
    b_width = max(mantissa_bits(activation) for activation in activations)
    one_format = SQ(2, b_width - 2)
    acc_width = max(
        sum_width(1, numerics.weight_bits, one_format.width),
        sum_width(shape.dim, numerics.weight_bits, operand_bits(numerics.residual)),
        sum_width(shape.q_dim, numerics.weight_bits, numerics.attention.width),
        sum_width(shape.hidden, numerics.weight_bits, operand_bits(numerics.ffn)),
        sum_width(shape.head_dim, numerics.k.width, numerics.q.width),
        sum_width(shape.seq_len, numerics.v.width, numerics.weight.width),
    )
    epsilon = max(1, round(shape.dim * shape.norm_epsilon * 4.0**numerics.residual.f))
    largest = shape.dim * 4 ** (operand_bits(numerics.residual) - 1) + epsilon
    softmax_exponent = numerics.weight.f - 1  # the least: one weight is always 1.0, saturated
    norm_floor = (epsilon.bit_length() - 1) // 2
    norm_growth = max(0, math.ceil(math.log2(math.sqrt(shape.dim))))
    square_sum_width = largest.bit_length() + largest.bit_length() % 2
    softmax_sum_width = (shape.seq_len * numerics.weight.max).bit_length()
    shifts = {
        "score": numerics.q.f + numerics.k.f - numerics.score.f,
        "attention": softmax_exponent + numerics.v.f - numerics.attention.f,
        "silu": TABLE_FRACTION + numerics.gate.f - numerics.silu.f,
        "ffn": numerics.silu.f + numerics.up.f - numerics.ffn.f,
    }
    for name, shift in shifts.items():
        if shift < 0:
            raise BadInput(
                f"Numerics.{name} = {getattr(numerics, name)} has {-shift} fraction bits more"
                " than its operands"
            )
    # Every row of weights has at least this many fraction bits.
    fraction = numerics.weight_bits - 1 - numerics.weight_magnitude
    from_normed = (numerics.q, numerics.k, numerics.v, numerics.gate, numerics.up, numerics.logits)
    wanted = (
        *(form.f - (norm_floor - norm_growth) for form in from_normed),
        numerics.v.f + max(numerics.v_gains, default=0) - (norm_floor - norm_growth),
        numerics.up.f + max(numerics.up_gains, default=0) - (norm_floor - norm_growth),
        *(numerics.residual.f - form.f for form in (one_format, numerics.attention, numerics.ffn)),
        *(form.f - one_format.f for form in (numerics.q, numerics.k, numerics.v) * shape.qkv_bias),
        (numerics.v.f + max(numerics.v_gains, default=0) - one_format.f) * shape.qkv_bias,
    )
    lead = max(0, max(wanted) - fraction)
    largest_shift = max(
        MAX_SHIFT + square_sum_width // 2 - 1 - norm_floor,
        softmax_sum_width - 1 + numerics.v.f - numerics.attention.f + lead,
    )
    # One multiplier computes the three products of each row while the next pass multiplies.
    shares_multiplier = 3 * lanes <= shape.dim + 1
    return Derived(
        slots=slots,
        per_slot=per_slot,
        head_blocks=ceil_div(shape.heads, slots),
        k_word=min(per_slot, ceil_pow2(shape.seq_len)),
        v_word=v_word,
        v_words=ceil_div(shape.head_dim, v_word),
        kv_width=kv_width,
        a_width=max(numerics.weight_bits, kv_width),
        b_width=b_width,
        b_exponents=max(exponents(numerics.residual), exponents(numerics.ffn)),
        acc_width=acc_width,
        softmax_sum_width=softmax_sum_width,
        square_sum_width=square_sum_width,
        epsilon=epsilon,
        one=1 << one_format.f,
        one_format=one_format,
        norm_growth=norm_growth,
        norm_floor=norm_floor,
        lead=lead,
        shift_width=largest_shift.bit_length(),
        header_passes=numerics.weight_bits // SHIFT_BITS,
        scalar_multipliers=1 if shares_multiplier else 3,
        turn=3 if shares_multiplier else 1,
    )
