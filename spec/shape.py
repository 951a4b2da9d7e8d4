"""The shape of a model: sizes, rotary embedding, norms, biases, special tokens.

The defaults are those of karpathy/llama2.c (`run.c`).
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tools.errors import BadInput

#: The sizes of every model, in the order of llama2.c's headers.
SIZES = ("dim", "hidden", "layers", "heads", "kv_heads", "vocab", "seq_len")
#: Most end-of-text ids: each costs a comparator on the chosen id.
MAX_END_IDS = 16


def whole(value: object, least: int) -> bool:
    """Whether `value` is an integer (not a bool) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: object) -> bool:
    """Whether `value` is a finite real number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, kw_only=True)
class Llama3Scaling:
    """How Llama 3 stretches RoPE to a longer context than the `original_seq_len` of its training.

    Pairs that turn more than `high_freq_factor` times within the original context keep their rate,
    the rate of those that turn less than `low_freq_factor` times is divided by `factor`, and it is
    interpolated between the two. Source: meta-llama/llama-models, `models/llama3/model.py`,
    `apply_scaling`; in Hugging Face Transformers `modeling_rope_utils.py`,
    `_compute_llama3_parameters` (``rope_type: llama3``).

    Raises :class:`BadInput` for a factor below 1, for frequency factors that are not positive and
    increasing, and for a length that is not positive.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_seq_len: int

    def __post_init__(self):
        for name in ("factor", "low_freq_factor", "high_freq_factor"):
            if not _number(getattr(self, name)):
                raise BadInput(f"Llama3Scaling.{name} = {getattr(self, name)!r} must be a number")
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.factor < 1:
            raise BadInput(f"Llama3Scaling.factor = {self.factor} must be at least 1")
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise BadInput(
                f"Llama3Scaling.low_freq_factor = {self.low_freq_factor} must be positive and"
                f" below high_freq_factor = {self.high_freq_factor}"
            )
        if not whole(self.original_seq_len, 1):
            raise BadInput(
                f"Llama3Scaling.original_seq_len = {self.original_seq_len!r} must be a positive"
                " integer"
            )

    def scaled(self, rate: float) -> float:
        """The scaled rate of a pair whose original rate is `rate`, in radians a position."""
        turns = self.original_seq_len * rate / (2 * math.pi)  # within the original context
        if turns > self.high_freq_factor:
            return rate
        if turns < self.low_freq_factor:
            return rate / self.factor
        span = self.high_freq_factor - self.low_freq_factor
        smooth = (turns - self.low_freq_factor) / span
        return (1 - smooth) * rate / self.factor + smooth * rate


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One model of the Llama architecture.

    Sizes are named as in llama2.c: D, H, L, NH, NK, V, S. Raises :class:`BadInput` for a size that
    is not positive, heads that do not divide, an odd head size (RoPE turns pairs), an odd dim (a
    column-split pass reads both halves of the residual), and for other values that no model has.
    """

    dim: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int
    seq_len: int
    head_dim: int = 0
    """Elements of one head, hs; if 0, dim / heads."""
    rope_base: float = 10000.0
    """RoPE rotates pair j of a head by ``rope_base ** (-2 * j / head_dim)`` radians a position
    (RoFormer, arXiv 2104.09864, section 3.2.2; `rope_theta` of Hugging Face)."""
    rope_scaling: Llama3Scaling | None = None
    norm_epsilon: float = 1e-5
    """RMSNorm adds this to the mean of squares, inside the root (arXiv 1910.07467, section 4)."""
    qkv_bias: bool = False
    """Queries, keys and values have a bias, added behind the matrix and before RoPE (Qwen2:
    Hugging Face Transformers, `models/qwen2/modeling_qwen2.py`, `Qwen2Attention`)."""
    end_ids: tuple[int, ...] = (1,)
    """Ids that end the text when they are chosen; ascending, may be empty."""
    bos: int | None = 1
    """The id that a text begins with, or None if it begins with the first id of the prompt."""

    def __post_init__(self):
        for name in SIZES:
            if not whole(getattr(self, name), 1):
                raise BadInput(f"Shape.{name} = {getattr(self, name)!r} must be a positive integer")
        if self.heads % self.kv_heads:
            raise BadInput(
                f"Shape.heads = {self.heads} is not a multiple of kv_heads = {self.kv_heads}"
            )
        if not whole(self.head_dim, 0):
            raise BadInput(f"Shape.head_dim = {self.head_dim!r} must be a positive integer")
        if self.head_dim == 0:
            if self.dim % self.heads:
                raise BadInput(f"Shape.dim = {self.dim} is not a multiple of heads = {self.heads}")
            object.__setattr__(self, "head_dim", self.dim // self.heads)
        if self.head_dim % 2:
            raise BadInput(f"Shape.head_dim = {self.head_dim} must be even for RoPE")
        if self.dim % 2:
            raise BadInput(f"Shape.dim = {self.dim} must be even")
        if self.vocab < 2:
            raise BadInput(f"Shape.vocab = {self.vocab} must be at least 2")
        self._check_facts()

    def _check_facts(self) -> None:
        if not _number(self.rope_base) or self.rope_base < 1:
            raise BadInput(f"Shape.rope_base = {self.rope_base!r} must be a number of at least 1")
        if self.rope_scaling is not None and not isinstance(self.rope_scaling, Llama3Scaling):
            raise BadInput(f"Shape.rope_scaling = {self.rope_scaling!r} must be a Llama3Scaling")
        if not _number(self.norm_epsilon) or not 0 < self.norm_epsilon <= 1:
            raise BadInput(
                f"Shape.norm_epsilon = {self.norm_epsilon!r} must be a number above 0, at most 1"
            )
        if not isinstance(self.qkv_bias, bool):
            raise BadInput(f"Shape.qkv_bias = {self.qkv_bias!r} must be true or false")
        ends: Any = self.end_ids
        if not isinstance(ends, Iterable) or isinstance(ends, str | bytes):
            raise BadInput(f"Shape.end_ids = {ends!r} must be token ids")
        ends = tuple(ends)
        for token in ends if self.bos is None else (*ends, self.bos):
            if not whole(token, 0) or token >= self.vocab:
                name = "end_ids" if token in ends else "bos"
                raise BadInput(
                    f"Shape.{name} = {getattr(self, name)!r} is not below vocab = {self.vocab}"
                )
        if len(set(ends)) > MAX_END_IDS:
            raise BadInput(f"Shape.end_ids are {len(set(ends))}, more than {MAX_END_IDS}")
        object.__setattr__(self, "rope_base", float(self.rope_base))
        object.__setattr__(self, "norm_epsilon", float(self.norm_epsilon))
        object.__setattr__(self, "end_ids", tuple(sorted(set(ends))))

    @classmethod
    def of_sizes(cls, *sizes: int, **facts: Any) -> "Shape":
        """The model of these sizes, in the order of `SIZES`; `facts` override llama2.c's."""
        fields: dict[str, Any] = dict(zip(SIZES, sizes, strict=True))
        return cls(**fields | facts)

    @property
    def q_dim(self) -> int:
        """Elements of the queries, and of the attention output, over all heads."""
        return self.heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        """Elements of one key (or value) row over all KV heads, kvd."""
        return self.kv_heads * self.head_dim

    @property
    def group(self) -> int:
        """Query heads that share one KV head."""
        return self.heads // self.kv_heads

    @property
    def rope_rates(self) -> tuple[float, ...]:  # (hs / 2,)
        """The rate, in radians a position, at which RoPE rotates each pair of a head."""
        rates = (
            self.rope_base ** (-2.0 * pair / self.head_dim) for pair in range(self.head_dim // 2)
        )
        scaling = self.rope_scaling
        return tuple(rates if scaling is None else map(scaling.scaled, rates))

    @property
    def first_id(self) -> int:
        """The first id without a prompt: BOS, else an end-of-text id, else 0."""
        return self.bos if self.bos is not None else min(self.end_ids, default=0)

    def ends_text(self, token: int, *, forced: bool) -> bool:
        """Whether the text ends before `token`, its next one.

        A chosen end-of-text id ends it. A forced one may be a marker within a chat; it ends the
        text only if it is BOS, as in llama2.c.
        """
        return token in self.end_ids and (not forced or token == self.bos)


def shape_to_dict(shape: Shape) -> dict[str, Any]:
    """`shape` as plain values, for JSON."""
    return dataclasses.asdict(shape) | {"end_ids": list(shape.end_ids)}


def shape_from_dict(values: dict[str, Any]) -> Shape:
    """The inverse of `shape_to_dict`.

    Missing fields have their defaults. Raises :class:`BadInput` or TypeError for malformed values.
    """
    scaling = values.get("rope_scaling")
    if scaling is not None:
        scaling = Llama3Scaling(**scaling)
    return Shape(**values | {"rope_scaling": scaling})
