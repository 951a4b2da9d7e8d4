"""How many values of the golden decoder stand at the end of their format: what saturated does."""

from collections.abc import Mapping

import numpy as np

from golden.fast.attention import compiled
from spec.config import Config
from spec.trace import Tensor


class Saturation:
    """Counts, by the names of `Numerics`, the values at the least or greatest of their format.

    A sum in front of its factor is not counted: where it saturates its product does. Nor are
    softmax weights, of which one is always the greatest. Of scores, those of the first sequence.
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
            tensor: tuple((name, columns, getattr(n, name)) for name, columns in each)
            for tensor, each in parts.items()
        }
        # Of all parts of a tensor; where no value is at these ends, nobody looks closely.
        self._ends = {
            tensor: (max(form.min for *_, form in each), min(form.max for *_, form in each))
            for tensor, each in self._parts.items()
        }
        self.counts: dict[str, int] = {}

    def look(self, tensor: Tensor, value: np.ndarray) -> None:
        """Count those of `value`, (..., n) integers of `tensor`."""
        ends = self._ends.get(tensor)
        if ends is not None and _reaches(value.reshape(-1), *ends):
            self.count(tensor, value)

    def count(self, tensor: Tensor, value: np.ndarray) -> None:
        """As `look`, of values among which are such."""
        for name, columns, form in self._parts[tensor]:
            part = value[..., columns]
            count = int(np.count_nonzero((part <= form.min) | (part >= form.max)))
            if count:
                self.counts[name] = self.counts.get(name, 0) + count

    def sentence(self) -> str:
        """What was counted, in words; nothing where all fits."""
        if not self.counts:
            return ""
        tensors = ", ".join(f"{count:,} of {name}" for name, count in sorted(self.counts.items()))
        return f"{sum(self.counts.values()):,} values saturated their formats: {tensors}"


@compiled
def _reaches(values, low, high):
    """Whether one of (n,) values is not between the two."""
    found = False
    for value in values:
        found |= (value <= low) | (value >= high)
    return found
