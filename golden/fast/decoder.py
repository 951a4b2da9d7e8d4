"""The fast golden decoder: integers in, integers out, exact, batched.

It equals `golden.decoder`, the specification of the RTL, in every traced value. Sums of products
are float64 matrix products, exact as long as every partial sum is an integer below 2**52. Rounding
is exact, too: shifts only change the exponent of a float. For formats with which a sum could exceed
that range, each step is checked, see `Projection`.
"""

import functools

import numpy as np

from golden import fixed_math, steps
from golden.fast.attention import Attention, compiled
from golden.quantise import Model, Rows, row_formats
from golden.saturation import Saturation
from golden.work import products
from spec import tables
from spec.config import Config, sum_format
from spec.derived import TABLE_FRACTION, derive
from spec.fixed import SQ, Rounding
from spec.schedule import Op, attention_order
from spec.trace import ONCE, Tensor, sizes
from tools.errors import BadInput

#: Minimum and maximum integer.
_Limits = tuple[np.ndarray, np.ndarray] | tuple[int, int]


#: Bits of integers that float64 adds and rounds exactly.
EXACT_BITS = 52
#: Most bits of a sum, and of its pre-shift, for int64.
MOST_BITS, MOST_LEAD = 61, 30
#: Bits of an operand's lower part, when products are summed in two parts.
_LOW_BITS = 16


class Projection:
    """Integer matrix product and requantisation, ready for batches."""

    def __init__(self, config: Config, op: Op, rows: Rows):
        formats = row_formats(config, op)
        self.limits = _limits(formats)
        self.sum_limits = _limits([sum_format(form) for form in formats])
        self.rounding = config.numerics.rounding
        self.shift = rows.shift - derive(config).lead  # (rows,)
        # (cols, rows), exact: pre-shift and shift are powers of two.
        self.weights = rows.weights.T * np.exp2(-self.shift)
        self.saturated = True
        self.always_exact = derive(config).acc_width - 1 <= EXACT_BITS

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x (B, cols) -> (B, rows) in the formats of the rows."""
        if self.too_large(x):
            return self._by_halves(x, self.shift, self.limits)
        total = x.astype(np.float64) @ self.weights
        self._fit(total, self.limits)
        return total.astype(np.int64)

    def _fit(self, value: np.ndarray, limits: _Limits) -> None:
        """`_round` to these limits; sets `saturated` if a value was beyond them."""
        if value.dtype != np.float64:  # terms of a proof
            _round(value, limits, self.rounding)
            return
        even, half = self.rounding is Rounding.HALF_EVEN, 0.5 * (self.rounding is Rounding.HALF_UP)
        self.saturated = _round_at_once(value, *limits, even, half)

    @functools.cached_property
    def largest(self) -> int:
        """The largest operand magnitude for which every sum is within `EXACT_BITS`."""
        row_sums = np.abs(self.weights).sum(axis=0) * np.exp2(self.shift)  # exact, as the weights
        return int((1 << EXACT_BITS) // max(row_sums.max(), 1))

    def too_large(self, x: np.ndarray) -> bool:
        """Whether a partial sum for these x could exceed `EXACT_BITS`."""
        return not self.always_exact and bool(np.abs(x).max() > self.largest)

    def _by_halves(self, x: np.ndarray, shift: np.ndarray, limits: _Limits) -> np.ndarray:
        """The float64 product and `_round` for x of any magnitude: the sums of the upper and of the
        lower bits of x are added as int64 and shifted right by `shift`, which may be negative."""
        low = x & ((1 << _LOW_BITS) - 1)
        total = np.zeros((), np.int64)
        for part, weight in ((x >> _LOW_BITS, 1 << _LOW_BITS), (low, 1)):
            sums = (part.astype(np.float64) @ self.weights) * np.exp2(self.shift)
            total = total + sums.astype(np.int64) * weight
        # Sums beyond every format saturate anyway: clip them, so that the left shift fits int64.
        bound = np.int64(1) << 32
        shifted_left = np.clip(total, -bound, bound) << np.clip(-shift, 0, MOST_LEAD)
        total = np.where(shift < 0, shifted_left, total)
        rounded = fixed_math.shift_right(total, np.clip(shift, 0, 62), self.rounding)
        self.saturated = True  # possibly
        return np.clip(rounded, *(np.asarray(limit, np.int64) for limit in limits))

    def behind_norm(self, x: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        """x (B, cols), exponent (B,) -> sums (B, rows) before the mantissa of the norm's factor.

        Integers, as float64.
        """
        if self.too_large(x):
            shift = self.shift + exponent[:, None]
            return self._by_halves(x, shift, self.sum_limits).astype(np.float64)
        total = (x * np.exp2(-exponent)[:, None]) @ self.weights
        self._fit(total, self.sum_limits)
        return total

    def scaled(self, sums: np.ndarray, factor: np.ndarray, bias: np.ndarray | int) -> np.ndarray:
        """sums (B, rows), factor (B,), bias (1, rows) -> (B, rows) in the formats of the rows.

        The bias has the format of its row. It is added before rounding and saturation. (Rounding
        the product first would differ only in ties to even.)
        """
        product = sums * (factor * 0.5**TABLE_FRACTION)[:, None] + bias
        self._fit(product, self.limits)
        return product.astype(np.int64)


def _limits(formats: list[SQ]) -> _Limits:
    """The limits of each row."""
    low, high = [form.min for form in formats], [form.max for form in formats]
    return np.array(low, np.float64), np.array(high, np.float64)


def _round(value: np.ndarray, limits: _Limits, rounding: Rounding) -> None:
    """`fixed_math.requantize` in place, on shifted integers held as float64.

    Exact: for an integer below 2**52 in magnitude over any power of two, adding half a unit is
    exact in float64, or its rounding error is too small to reach the next integer.
    """
    match rounding:
        case Rounding.HALF_EVEN:
            np.rint(value, out=value)
        case Rounding.HALF_UP:
            value += 0.5
            np.floor(value, out=value)
        case Rounding.TRUNCATE:
            np.floor(value, out=value)
    np.clip(value, *limits, out=value)


@compiled
def _round_at_once(value, low, high, even, half):
    """`_round` of (B, rows) in one pass; returns whether a value was beyond its limits."""
    beyond = False
    for b in range(value.shape[0]):
        for r in range(value.shape[1]):
            rounded = np.rint(value[b, r]) if even else np.floor(value[b, r] + half)
            clipped = min(max(rounded, low[r]), high[r])
            beyond |= rounded != clipped
            value[b, r] = clipped
    return beyond


class FixedDecoder:
    """Decodes `batch` sequences in lockstep with a quantised model.

    `saturation` counts the values at the limits of their formats, over all steps.

    Parameters: the quantised `model`; `batch`, the number of sequences B.
    Raises :class:`BadInput` for formats whose sums could exceed int64, for token ids out of range
    and for a step beyond seq_len.
    """

    def __init__(self, model: Model, batch: int = 1):
        config = self.config = model.config
        self.batch = batch
        self.derived = derive(config)
        if self.derived.acc_width > MOST_BITS or self.derived.lead > MOST_LEAD:
            raise BadInput(
                f"configuration {config.name!r} needs {self.derived.acc_width}-bit accumulators"
                f" and shifts them left by {self.derived.lead} bits; the golden decoder is exact up"
                f" to {MOST_BITS} and {MOST_LEAD}"
            )
        shape = config.shape
        self._embedding = model.embedding
        self._layers = [
            {op: Projection(config, op, rows) for op, rows in layer.items()}
            for layer in model.layers
        ]
        self._classifier = Projection(config, Op.CLS, model.classifier)
        rsqrt, reciprocal, sigmoid = (
            tables.rsqrt(config),
            tables.reciprocal(config),
            tables.sigmoid(config),
        )
        self._rsqrt = _table(rsqrt)
        self._reciprocal = _table(reciprocal)
        self._sigmoid = _table(sigmoid)
        self._attention_order = list(attention_order(config))
        rope = tables.rope(config)
        self._cos = np.array(rope.cos).reshape(shape.seq_len, rope.pairs)
        self._sin = np.array(rope.sin).reshape(shape.seq_len, rope.pairs)
        self._attend = Attention(config, batch)
        self.pos = 0
        self.saturation = Saturation(config)
        self.trace: dict[Tensor, np.ndarray] = {}
        self._records: dict[Tensor, list[np.ndarray]] | None = None

    def reset(self) -> None:
        """Begin new sequences."""
        self.pos = 0
        self._attend.reset()

    def step(self, tokens: np.ndarray, *, trace: bool = False) -> np.ndarray:
        """tokens (B,) -> logits (B, V) as integers of the logits format.

        With `trace`, `self.trace` maps each `Tensor` to its values of sequence 0: (layers, n),
        one layer for the tensors in `ONCE`, (layers, heads, pos + 1) for scores and weights.
        """
        shape, n = self.config.shape, self.config.numerics
        tokens = np.asarray(tokens)
        if self.pos >= shape.seq_len:
            raise BadInput(f"position {self.pos} is beyond seq_len = {shape.seq_len}")
        if tokens.shape != (self.batch,):
            raise BadInput(f"tokens have shape {tokens.shape}, expected ({self.batch},)")
        if tokens.min() < 0 or tokens.max() >= shape.vocab:
            bad = tokens[(tokens < 0) | (tokens >= shape.vocab)][0]
            raise BadInput(f"token id {bad} is not below vocab = {shape.vocab}")
        self._records = {tensor: [] for tensor in sizes(self.config)} if trace else None
        self._attend.advance()

        x = fixed_math.requantize(
            self._embedding.weights[tokens].astype(np.int64)
            * (self.derived.one << self.derived.lead),
            self._embedding.shift[tokens].astype(np.int64),
            n.residual,
            n.rounding,
        )  # (B, D)
        self._element(Tensor.X_EMBED, x)
        for layer, projections in enumerate(self._layers):
            x = self._attention(x, layer, projections)
            x = self._ffn(x, projections)
        logits = self._normed(x, self._classifier, Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM)
        self._result(Tensor.LOGITS, logits, self._classifier)
        self.pos += 1
        if self._records is not None:
            self.trace = {tensor: np.stack(records) for tensor, records in self._records.items()}
            assert all(len(self.trace[tensor]) == 1 for tensor in ONCE)
        return logits

    def products(self, *, classified: bool) -> int:
        """Multiply-accumulates of the last step of one sequence; see `golden.work`."""
        return products(self.config.shape, self.pos - 1, classified=classified)

    def _result(self, tensor: Tensor, value: np.ndarray, projection: Projection) -> None:
        """Record the output of a projection, and count saturated values."""
        if projection.saturated:
            self.saturation.count(tensor, value)
        self._note(tensor, value)

    def _element(self, tensor: Tensor, value: np.ndarray) -> None:
        """Record the output of another unit, and count saturated values."""
        self.saturation.check(tensor, value)
        self._note(tensor, value)

    def _note(self, tensor: Tensor, value: np.ndarray) -> None:
        """Record sequence 0 of `value` (B, ...) in the trace."""
        if self._records is not None:
            self._records[tensor].append(value[0].astype(np.int64))

    def _normed(
        self,
        x: np.ndarray,
        projection: Projection,
        factor: Tensor,
        sums: Tensor,
        bias: np.ndarray | int = 0,
    ) -> np.ndarray:
        """Projection (B, rows) of x (B, D) * sqrt(D) / sqrt(sum of squares + epsilon).

        The matrix multiplies x itself. The shift of each row's sum includes the exponent of the
        norm; the result is multiplied by the mantissa, and `bias` is added. The gain is folded into
        the matrix.
        """
        n = self.config.numerics
        x = fixed_math.operand(x, n.residual, n.rounding)
        m, e = fixed_math.rsqrt_operand(*self._square_sum(x))
        mantissa = fixed_math.interpolate(*self._rsqrt, m)
        self._note(factor, np.stack([mantissa, e], axis=1))
        total = projection.behind_norm(x, e - self.derived.norm_floor)
        self._note(sums, total)
        return projection.scaled(total, mantissa, bias)

    def _square_sum(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (B, D) -> its sum of squares plus epsilon (B,), in `fixed_math.halves`."""
        squares, epsilon = x * x, self.derived.epsilon
        if self.derived.square_sum_width <= 63:
            return fixed_math.halves(squares.sum(axis=1) + epsilon)
        high, low = fixed_math.halves(squares)
        carry, low = fixed_math.halves(low.sum(axis=1) + epsilon)
        return high.sum(axis=1) + carry, low

    def _rope(self, x: np.ndarray, form: SQ) -> np.ndarray:
        """x (B, heads, hs) with each pair rotated by its angle at this position."""
        n = self.config.numerics
        cos, sin = self._cos[self.pos], self._sin[self.pos]  # (hs / 2,)
        a, b = x[..., 0::2], x[..., 1::2]
        result = np.empty_like(x)
        result[..., 0::2], result[..., 1::2] = steps.turned(n, form, a, b, cos, sin)
        return result

    def _attention(
        self, x: np.ndarray, layer: int, projections: dict[Op, Projection]
    ) -> np.ndarray:
        """Residual (B, D) -> residual with this layer's attention added."""
        shape, n = self.config.shape, self.config.numerics
        batch = self.batch
        bias: np.ndarray | int = 0
        if shape.qkv_bias:
            bias = projections[Op.BIAS](np.array([[self.derived.one]]))  # (1, rows)
            self._result(Tensor.BIAS, bias, projections[Op.BIAS])
        qkv = self._normed(x, projections[Op.QKV], Tensor.RSQRT_ATT, Tensor.QKV_SUM, bias)
        self._result(Tensor.QKV, qkv, projections[Op.QKV])
        q, k, v = np.split(qkv, [shape.q_dim, shape.q_dim + shape.kv_dim], axis=1)
        q = self._rope(q.reshape(batch, shape.heads, -1), n.q)
        k = self._rope(k.reshape(batch, shape.kv_heads, -1), n.k)
        v = v.reshape(batch, shape.kv_heads, -1)
        for tensor, value in ((Tensor.Q, q), (Tensor.K, k), (Tensor.V, v)):
            self._element(tensor, value.reshape(batch, -1))

        # Query head h reads KV head h // group, so heads split into (kv_heads, group).
        q = q.reshape(batch, shape.kv_heads, shape.group, -1)
        total, weight_sum = self._attend(layer, q, k, v, self._element)
        m, e = fixed_math.reciprocal_operand(weight_sum)
        mantissa = fixed_math.interpolate(*self._reciprocal, m)
        self._note(Tensor.RECIPROCAL, np.stack([mantissa, e], axis=-1).reshape(batch, -1))
        attention_sum = steps.value_sum(n, total, e[..., None])
        attention = steps.attended(n, attention_sum, mantissa[..., None]).reshape(batch, -1)
        order = self._attention_order
        self._note(Tensor.ATTENTION_SUM, attention_sum.reshape(batch, -1)[:, order])
        self._element(Tensor.ATTENTION, attention[:, order])

        wo = projections[Op.WO](attention)
        self._result(Tensor.WO, wo, projections[Op.WO])
        x = fixed_math.saturate(x + wo, n.residual)
        self._element(Tensor.X_ATT, x)
        return x

    def _ffn(self, x: np.ndarray, projections: dict[Op, Projection]) -> np.ndarray:
        """Residual (B, D) -> residual with this layer's SwiGLU block added."""
        n = self.config.numerics
        w13 = self._normed(x, projections[Op.W13], Tensor.RSQRT_FFN, Tensor.W13_SUM)
        self._result(Tensor.W13, w13, projections[Op.W13])
        gate, up = w13[:, 0::2], w13[:, 1::2]  # (B, H)
        sigmoid = fixed_math.interpolate(*self._sigmoid, gate - n.gate.min)
        silu = steps.gated(n, gate, sigmoid)
        ffn = steps.multiplied(n, silu, up)
        for tensor, value in (
            (Tensor.SIGMOID, sigmoid),
            (Tensor.SILU, silu),
            (Tensor.FFN, ffn),
        ):
            self._element(tensor, value)
        w2 = projections[Op.W2](fixed_math.operand(ffn, n.ffn, n.rounding))
        self._result(Tensor.W2, w2, projections[Op.W2])
        x = fixed_math.saturate(x + w2, n.residual)
        self._element(Tensor.X_FFN, x)
        return x


def _table(table: tables.Interpolated) -> tuple[tables.Interpolated, np.ndarray, np.ndarray]:
    return table, np.array(table.base), np.array(table.slope)
