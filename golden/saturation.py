"""Counts the values of the golden decoder at a limit of their format, as saturated ones are."""

from collections.abc import Mapping

import numpy as np

from golden.fast.attention import compiled
from spec.config import Config
from spec.trace import Tensor


class Saturation:
    """Counts, by the names of `Numerics`, the values at the minimum or maximum of their format.

    Sums before their factor are not counted: if one saturates, so does its product. Nor are
    softmax weights, one of which is always the maximum. Scores are counted for sequence 0 only.
    """

    def __init__(self, config: Config):
        shape, n = config.shape, config.numerics
        q, k = shape.q_dim, shape.q_dim + shape.kv_dim
        whole = slice(None)
        qkv = (("q", slice(q)), ("k", slice(q, k)), ("v", slice(k, None)))
        w13 = (("gate", slice(0, None, 2)), ("up", slice(1, None, 2)))
        parts: Mapping[Tensor, tuple[tuple[str, slice], ...]] = {
            Tensor.X_EMBED: (("residual", whole),),
            Tensor.BIAS: qkv,
            Tensor.QKV: qkv,
            Tensor.Q: (("q", whole),),
            Tensor.K: (("k", whole),),
            Tensor.SCORE: (("score", whole),),
            Tensor.ATTENTION: (("attention", whole),),
            Tensor.WO: (("residual", whole),),
            Tensor.X_ATT: (("residual", whole),),
            Tensor.W13: w13,
            Tensor.SILU: (("silu", whole),),
            Tensor.FFN: (("ffn", whole),),
            Tensor.W2: (("residual", whole),),
            Tensor.X_FFN: (("residual", whole),),
            Tensor.LOGITS: (("logits", whole),),
        }
        self._parts = {
            tensor: tuple((name, columns, getattr(n, name)) for name, columns in named)
            for tensor, named in parts.items()
        }
        # The tightest limits over all parts of a tensor, for a quick check.
        self._limits = {
            tensor: (max(form.min for *_, form in forms), min(form.max for *_, form in forms))
            for tensor, forms in self._parts.items()
        }
        self.counts: dict[str, int] = {}

    def check(self, tensor: Tensor, value: np.ndarray) -> None:
        """Count in `value`, (..., n) integers of `tensor`, after a quick check for any."""
        limits = self._limits.get(tensor)
        if limits is not None and _reaches(value.reshape(-1), *limits):
            self.count(tensor, value)

    def count(self, tensor: Tensor, value: np.ndarray) -> None:
        """Count in `value` without the quick check."""
        for name, columns, form in self._parts[tensor]:
            part = value[..., columns]
            count = int(np.count_nonzero((part <= form.min) | (part >= form.max)))
            if count:
                self.counts[name] = self.counts.get(name, 0) + count

    def sentence(self) -> str:
        """The counts as a sentence; empty if there are none."""
        if not self.counts:
            return ""
        tensors = ", ".join(f"{count:,} of {name}" for name, count in sorted(self.counts.items()))
        return f"{sum(self.counts.values()):,} values saturated their formats: {tensors}"


@compiled
def _reaches(values, low, high):
    """Whether any of (n,) values is at most `low` or at least `high`."""
    reached = False
    for value in values:
        reached |= (value <= low) | (value >= high)
    return reached
