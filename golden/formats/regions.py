"""Tensors as regions of a file: number formats, and reading of rows.

Files are opened for each read instead of mapped: truncating a mapped file kills the process.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from golden.tensors import Floats
from tools.errors import BadInput
from tools.files import PathLike, reading, shown

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Encoding:
    """A number format: `block` numbers in `size` bytes, converted to float32 by `decode`.

    `decode` takes (rows, bytes) and returns (rows, numbers).
    """

    name: str
    block: int
    size: int
    decode: Callable[[Bytes], NDArray[Any]]

    def bytes_of(self, numbers: int) -> int:
        """Bytes of a row of `numbers` numbers, which must be whole blocks."""
        return numbers // self.block * self.size


def _from_f32(raw: Bytes) -> NDArray[Any]:
    return raw.view("<f4")


def _from_f16(raw: Bytes) -> NDArray[Any]:
    return raw.view("<f2").astype(np.float32)


def _from_bf16(raw: Bytes) -> NDArray[Any]:
    # The upper half of a float32; numpy has no such type.
    return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)


F32 = Encoding("F32", 1, 4, _from_f32)
F16 = Encoding("F16", 1, 2, _from_f16)
BF16 = Encoding("BF16", 1, 2, _from_bf16)


@dataclass(frozen=True)
class Mark:
    """The identity of a file when its header was read; later reads check it."""

    path: Path
    identity: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, path: PathLike, file: BinaryIO) -> "Mark":
        return cls(Path(path).absolute(), _identity(file))

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.identity[2]

    def read(self, offset: int, count: int) -> Bytes:
        """`count` bytes from `offset`. Raises :class:`BadInput` if the file has changed."""
        with reading(self.path) as (file, _):
            if _identity(file) != self.identity:
                raise BadInput("changed while it was read")
            raw = np.fromfile(file, np.uint8, count, offset=offset)
            if len(raw) < count:
                raise BadInput(f"ended after {len(raw)} of {count} bytes, shortened while read")
            return raw


def _identity(file: BinaryIO) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class Region:
    """A tensor in a file, row after row from byte `offset`; the innermost size is contiguous."""

    mark: Mark
    name: str
    encoding: Encoding
    shape: tuple[int, ...]
    offset: int

    @property
    def label(self) -> str:
        return f"{shown(self.mark.path)}: tensor {self.name}"

    @property
    def bytes(self) -> int:
        """The size in the file."""
        *rows, columns = self.shape or (1,)
        return math.prod(rows) * self.encoding.bytes_of(columns)

    def read(self, start: int, stop: int) -> Floats:
        if len(self.shape) == 1:  # a vector is one row
            whole = self._read_rows(0, 1, self.shape[0])
            return whole[0, start:stop]
        return self._read_rows(start, stop - start, self.shape[1])

    def _read_rows(self, first: int, count: int, columns: int) -> Floats:
        row = self.encoding.bytes_of(columns)
        raw = self.mark.read(self.offset + first * row, count * row)
        with np.errstate(all="ignore"):  # values that are not finite are reported by the caller
            values = self.encoding.decode(raw.reshape(count, row))
        return values.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Interleaved:
    """Query or key rows stored half-split, read in adjacent-pair order.

    Pair j of a head, which RoPE rotates, is rows j and j + hs / 2 in Hugging Face models, and rows
    2 j and 2 j + 1 in llama2.c and here. Works on matrices and on biases.
    """

    halves: Region
    heads: int

    @property
    def label(self) -> str:
        return self.halves.label

    @property
    def shape(self) -> tuple[int, ...]:
        return self.halves.shape

    def read(self, start: int, stop: int) -> Floats:
        rows = self.shape[0]
        return adjacent_pairs(self.halves.read(0, rows), self.heads)[start:stop]


def adjacent_pairs(rows: Floats, heads: int) -> Floats:
    """Half-split rows (heads * hs, ...) in adjacent-pair order."""
    return _transposed_heads(rows, heads, 2)


def half_split(rows: Floats, heads: int) -> Floats:
    """The inverse of :func:`adjacent_pairs`."""
    return _transposed_heads(rows, heads, len(rows) // heads // 2)


def _transposed_heads(rows: Floats, heads: int, outer: int) -> Floats:
    """The rows of each head as a table of `outer` lines, transposed."""
    inner = len(rows) // heads // outer
    table = rows.reshape(heads, outer, inner, *rows.shape[1:])
    return np.ascontiguousarray(table.swapaxes(1, 2)).reshape(rows.shape)
