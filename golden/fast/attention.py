"""Attention of the fast golden decoder: the operations on every position of the context.

Plain integer loops, compiled by numba: they dominate the time of a long context, and numpy
operations on whole arrays took twice as long.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np

from golden import steps
from spec import tables
from spec.config import Config
from spec.derived import sum_width
from spec.fixed import Rounding
from spec.trace import Tensor
from tools.errors import BadInput
from tools.sources import ROOT, SOURCES

#: Initial capacity of the cache in positions; it doubles when full.
FIRST_ROOM = 32


class Attention:
    """Keys and values of `batch` sequences (B), and attention over them.

    Raises :class:`BadInput` for formats whose scores could exceed 64 bits.
    """

    def __init__(self, config: Config, batch: int):
        shape, n = config.shape, config.numerics
        self.config, self.batch = config, batch
        bits = sum_width(shape.head_dim, n.q.width, n.k.width)
        self._shift = n.q.f + n.k.f - n.score.f
        if max(bits, self._shift) > 62:
            raise BadInput(
                f"configuration {config.name!r} shifts {bits}-bit scores right by {self._shift}"
                " bits; the golden decoder is exact up to 62"
            )
        self._nudge, self._even = _nudges(n.rounding, self._shift)
        self._weight_below = _weight_below(config)
        # Index 0: sequence 0, which goes into the trace. Index 1: scratch of the other sequences.
        heads = (2, shape.kv_heads, shape.group, shape.seq_len)
        self._scores, self._weights = np.empty(heads, np.int32), np.empty(heads, np.int64)
        self.reset()

    def reset(self) -> None:
        """Begin new sequences."""
        shape = self.config.shape
        self.length = 0
        # Positions are the innermost axis; every format of keys and values fits int16.
        cache = (shape.layers, self.batch, shape.kv_heads, shape.head_dim, 0)
        self._keys, self._values = np.empty(cache, np.int16), np.empty(cache, np.int16)

    def advance(self) -> None:
        """Move to the next position."""
        if self.length == self._keys.shape[-1]:
            self._grow()
        self.length += 1

    def _grow(self) -> None:
        """Double the capacity. Short rows are close in memory, so a short context is cheap."""
        room = min(max(FIRST_ROOM, 2 * self.length), self.config.shape.seq_len)
        more = [(0, 0)] * 4 + [(0, room - self.length)]
        self._keys, self._values = np.pad(self._keys, more), np.pad(self._values, more)

    def __call__(
        self,
        layer: int,
        q: np.ndarray,
        k: np.ndarray,
        v: np.ndarray,
        note: Callable[[Tensor, np.ndarray], None],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Store k and v (B, NK, hs) of this position, then attend with q (B, NK, group, hs).

        Returns the weighted sums of the values, (B, NK, group, hs), and the sums of the weights,
        (B, NK, group). `note` is called with scores, maxima and weights of sequence 0.
        """
        keys, values = self._keys[layer], self._values[layer]
        keys[..., self.length - 1], values[..., self.length - 1] = k, v
        total, weight_sum = np.empty_like(q), np.empty_like(q[..., 0])
        form = self.config.numerics.score
        scaling = (self._shift, self._nudge, self._even, form.min, form.max)
        result = (self._scores, self._weights, total, weight_sum)
        # The product of two 32-bit factors is faster than that of two 64-bit ones.
        queries = q.astype(np.int32)
        _attend(self.length, queries, keys, values, *scaling, self._weight_below, *result)
        first = np.s_[:1, ..., : self.length]
        scores, weights = self._scores[first], self._weights[first]
        note(Tensor.SCORE, scores.reshape(1, self.config.shape.heads, -1).astype(np.int64))
        note(Tensor.MAXIMUM, scores.max(axis=3).reshape(1, -1))
        note(Tensor.WEIGHT, weights.reshape(1, self.config.shape.heads, -1))
        return total, weight_sum


def compiled(function: Callable) -> Callable:
    """`function` compiled to machine code, cached in ``build/golden`` by the digest of the sources.

    (numba's own cache checks only the time and size of one file.) Without a digest, or if the
    folder cannot be written, it is compiled for this run only. With NUMBA_DISABLE_JIT it is left as
    it is.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return function
    digest = SOURCES.digest(function.__module__)
    default = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    folder = Path(default or ROOT / "build" / "golden")
    numba.config.CACHE_DIR = str(folder / str(digest))  # type: ignore[attr-defined]
    try:
        quick = numba.njit(cache=digest is not None)(function)
    except RuntimeError:  # no folder that can be written
        quick = numba.njit(function)
    finally:
        numba.config.CACHE_DIR = default  # type: ignore[attr-defined]

    def call(*arguments: Any) -> Any:
        if quick.signatures:
            return quick(*arguments)
        with _interrupts_later():
            return quick(*arguments)

    return call


@contextlib.contextmanager
def _interrupts_later() -> Iterator[None]:
    """Delay Ctrl-C until the body ends: in LLVM's callbacks into Python it would be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


@compiled
def _attend(
    length, q, keys, values, shift, nudge, even, low, high, weight_below,
    scores, weights, total, weight_sum,
):  # fmt: skip
    """The three passes over the context: scores and their maximum, weights, values.

    q (B, NK, group, hs); keys, values (B, NK, hs, capacity); scores, weights (2, NK, group,
    seq_len); total (B, NK, group, hs); weight_sum (B, NK, group). A score is `(sum + nudge + odd)
    >> shift`, where `odd` is 1 for an odd quotient if `even`, saturated to `low` and `high`.
    """
    last = np.uint32(len(weight_below) - 1)
    sums = np.empty(length, np.int64)
    for b, kv_head, head in np.ndindex(weight_sum.shape):
        score = scores[min(b, 1), kv_head, head]
        weight = weights[min(b, 1), kv_head, head]
        sums[:] = nudge
        for d in range(q.shape[-1]):
            element, row = np.int64(q[b, kv_head, head, d]), keys[b, kv_head, d]
            for t in range(length):
                sums[t] += element * np.int64(row[t])
        maximum = np.int32(low)
        for t in range(length):
            odd = (sums[t] >> shift) & even
            score[t] = min(max((sums[t] + odd) >> shift, low), high)
            maximum = max(maximum, score[t])
        for t in range(length):
            # Beyond the table the weight is 0, like its last entry.
            weight[t] = weight_below[min(np.uint32(maximum - score[t]), last)]
        weight_sum[b, kv_head, head] = weight[:length].sum()
        for d in range(q.shape[-1]):
            row = values[b, kv_head, d]
            value = np.int64(0)
            for t in range(length):
                # Reading the lower half of int64 weights is the fastest variant by far.
                value += np.int64(np.int32(weight[t])) * np.int64(row[t])
            total[b, kv_head, head, d] = value


def _nudges(rounding: Rounding, shift: int) -> tuple[int, int]:
    """What `fixed_math.shift_right` adds before the shift: always, and for an odd quotient."""
    half = (1 << shift) >> 1
    match rounding:
        case Rounding.TRUNCATE:
            return 0, 0
        case Rounding.HALF_UP:
            return half, 0
        case Rounding.HALF_EVEN:
            return max(half - 1, 0), int(half > 0)


def _weight_below(config: Config) -> np.ndarray:
    """The softmax weight by distance from the maximum, up to where it is 0."""
    n = config.numerics
    below = np.arange((n.weight.width + 1) << n.score.f)
    return steps.softmax_weight(n, np.array(tables.exp2(config)), below).astype(np.int32)
