"""Weight tensors that are read from their file when they are used.

Models of a few hundred million weights are larger in float32 than in their file, and most code
needs one matrix at a time. A :class:`LazyTensor` behaves like a numpy array as far as this
repository needs it: indexed by layer, sliced by rows, and as a whole.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tools.errors import BadInput

Floats = NDArray[np.float32]


class Stored(Protocol):
    """A matrix (rows, columns) or a vector (rows,) in a file."""

    @property
    def label(self) -> str:
        """File and tensor, for messages."""
        ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, start: int, stop: int) -> Floats:
        """A float32 copy of rows `start` to `stop`. Raises :class:`BadInput`."""
        ...


class LazyTensor:
    """A float32 array made of `parts`, which are read at every use.

    If `stacked`, the parts are the layers, stacked along a new first axis; otherwise the only part
    is the tensor. All values read are checked: :class:`BadInput` names file, tensor and index of a
    value that is not finite.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, parts: Sequence[Stored], *, stacked: bool) -> None:
        shapes = {part.shape for part in parts}
        assert len(shapes) == 1 and (stacked or len(parts) == 1)
        self._parts = tuple(parts)
        self._stacked = stacked
        (shape,) = shapes
        self.shape: tuple[int, ...] = (len(parts), *shape) if stacked else shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Like an array. Indexing a layer, or slicing rows, reads only those."""
        if self._stacked:
            first, *rest = key if isinstance(key, tuple) else (key,)
            if isinstance(first, int | np.integer):
                layer = self._rows(self._parts[int(first)], 0, self.shape[1])
                return layer[tuple(rest)] if rest else layer
        elif isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            return self._rows(self._parts[0], start, max(start, stop))
        return self.astype(np.float32)[key]

    def astype(self, dtype: DTypeLike, copy: bool = True) -> NDArray[Any]:
        """The whole tensor as an array of `dtype`: always a copy, converted layer by layer."""
        out = np.empty(self.shape, dtype)
        targets = out if self._stacked else [out]
        for part, target in zip(self._parts, targets, strict=True):
            target[...] = self._rows(part, 0, len(target))
        return out

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("a LazyTensor has no memory to share")
        return self.astype(np.float32 if dtype is None else dtype)

    @staticmethod
    def _rows(part: Stored, start: int, stop: int) -> Floats:
        values = part.read(start, stop)
        check_finite(part.label, values)
        return values


#: A weight tensor, in memory or not.
Tensor = Floats | LazyTensor


def check_finite(label: str, values: Floats) -> None:
    """Raise :class:`BadInput` naming `label` if a value is NaN or infinite."""
    # Usually one sum shows that all are finite, in a single pass.
    with np.errstate(all="ignore"):
        if np.isfinite(np.add.reduce(values, axis=None, dtype=np.float64)):
            return
    index = int(np.argmin(np.isfinite(values)))
    raise BadInput(f"{label} holds {values.flat[index]} at flat index {index}")
