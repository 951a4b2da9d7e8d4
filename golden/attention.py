"""Attention of the golden decoder: all that it computes for every position of the context.

Exact integers in float64, as in `golden.fixed_decoder`. This is what a long context costs, so it
moves few bytes, in few passes: keys and values lie as int16, and blocks of sequences take turns.
"""

import math
from collections.abc import Callable

import numpy as np

from design import tables
from design.config import Config
from design.derived import sum_width
from design.errors import BadInput
from design.fixed import Rounding
from design.trace import Tensor
from golden import steps

#: Scores computed at once.
BLOCK = 1 << 16
#: Positions there is room for at first; then it doubles.
FIRST_ROOM = 32


class Attention:
    """Keys and values of `batch` sequences (B), and what queries find in them.

    Raises :class:`BadInput` for formats whose scores could leave float64's exact integers.
    """

    def __init__(self, config: Config, batch: int):
        shape, n = config.shape, config.numerics
        self.config, self.batch = config, batch
        bits, shift = sum_width(shape.head_dim, n.q.width, n.k.width), n.q.f + n.k.f - n.score.f
        if max(bits, shift) > 50:
            raise BadInput(
                f"configuration {config.name!r} shifts {bits}-bit scores right by {shift} bits;"
                " the golden decoder is exact up to 50"
            )
        self._scale = 0.5**shift
        # Lifted by more than their magnitude, scores are positive: integers are cast from them
        # as they round down. The lift, and the half of rounding, comes with the sum.
        self._lift = 1 << max(bits - shift, 1)
        self._bias = self._lift + (0.5 if n.rounding is Rounding.HALF_UP else 0.0)
        self._limits = (
            max(self._lift + n.score.min, 0),
            min(self._lift + n.score.max, 2 * self._lift),
        )
        self._integer = np.int32 if 2 * self._lift < 1 << 31 else np.int64
        self._weight_below = _weight_below(config)
        self.reset()

    def reset(self) -> None:
        """Begin new sequences."""
        shape = self.config.shape
        self.length = 0
        # Positions side by side; int16 holds every format of keys and values.
        cache = (shape.layers, self.batch, shape.kv_heads, shape.head_dim, 0)
        self._keys, self._values = np.empty(cache, np.int16), np.empty(cache, np.int16)

    def advance(self) -> None:
        """Go on to the next position."""
        if self.length == self._keys.shape[-1]:
            self._grow()
        self.length += 1

    def _grow(self) -> None:
        """Double the room. Rows no longer than needed lie close, so a short context is cheap."""
        shape = self.config.shape
        room = min(max(FIRST_ROOM, 2 * self.length), shape.seq_len)
        more = [(0, 0)] * 4 + [(0, room - self.length)]
        self._keys, self._values = np.pad(self._keys, more), np.pad(self._values, more)
        self._block = min(max(1, BLOCK // (shape.heads * room)), self.batch)
        self._scores = np.empty(self._block * shape.heads * room)
        self._integers = np.empty(self._scores.size, self._integer)
        # Rows a power of two apart would compete for the same places of the processor's cache.
        self._rows = np.ones((self._block, shape.kv_heads, shape.head_dim + 1, room + 8))

    def __call__(
        self,
        layer: int,
        q: np.ndarray,
        k: np.ndarray,
        v: np.ndarray,
        note: Callable[[Tensor, np.ndarray], None],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Keep this position's k and v (B, NK, hs), then ask with q (B, NK, group, hs).

        Returns the values summed by their weights, (B, NK, group, hs), and the sums of the
        weights, (B, NK, group). `note` gets scores, maxima and weights of sequence 0.
        """
        shape, n = self.config.shape, self.config.numerics
        self._keys[layer, ..., self.length - 1] = k
        self._values[layer, ..., self.length - 1] = v
        biased = np.full((*q.shape[:3], shape.head_dim + 1), self._bias)
        np.multiply(q, self._scale, out=biased[..., :-1])
        sums = np.empty_like(biased)
        for first in range(0, self.batch, self._block):
            own = slice(first, min(first + self._block, self.batch))
            size = (own.stop - first, shape.kv_heads, shape.group, self.length)  # (b, NK, group, T)
            lifted = self._scores[: math.prod(size)].reshape(size)
            score = self._integers[: lifted.size].reshape(size)
            np.matmul(biased[own], self._floats(self._keys[layer, own]), out=lifted)
            if n.rounding is Rounding.HALF_EVEN:
                np.rint(lifted, out=lifted)
            np.copyto(score, lifted, casting="unsafe")
            score.clip(*self._limits, out=score)
            maximum = score.max(axis=3, keepdims=True)
            if first == 0:
                note(Tensor.SCORE, score[:1].reshape(1, shape.heads, -1) - self._lift)
                note(Tensor.MAXIMUM, maximum[:1].reshape(1, -1) - self._lift)
            below = np.subtract(maximum, score, out=score)
            # Beyond the table nothing is left, as at its end.
            weight = self._weight_below.take(below, out=lifted, mode="clip")
            if first == 0:
                note(Tensor.WEIGHT, weight[:1].reshape(1, shape.heads, -1))
            rows = self._floats(self._values[layer, own])
            np.matmul(weight, rows.swapaxes(2, 3), out=sums[own])
        return sums[..., :-1].astype(np.int64), sums[..., -1].astype(np.int64)

    def _floats(self, cached: np.ndarray) -> np.ndarray:
        """Rows (b, NK, hs, room) as float64 (b, NK, hs + 1, T), the last one all ones.

        A product adds the bias of the queries there, or sums up the weights.
        """
        rows = self._rows[: len(cached), ..., : self.length]
        rows[:, :, :-1] = cached[..., : self.length]
        return rows


def _weight_below(config: Config) -> np.ndarray:
    """The softmax weight of every score below the maximum, up to where nothing is left."""
    n = config.numerics
    below = np.arange((n.weight.width + 1) << n.score.f)
    return steps.softmax_weight(n, np.array(tables.exp2(config)), below).astype(np.float64)
