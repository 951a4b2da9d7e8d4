"""Headers of GGUF files, versions 2 and 3 (github.com/ggml-org/ggml, docs/gguf.md).

Our own reader with bounds, because the reader of the package `gguf` allocates and loops as much as
a file asks for. The package's number formats are used.
"""

import functools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants
from numpy.typing import NDArray

from golden.formats.facts import LARGEST, brief
from golden.formats.regions import BF16, F16, F32, Bytes, Encoding, Mark, Region
from spec.derived import ceil_div
from tools.errors import BadInput
from tools.files import PathLike, reading

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_KEYS = MOST_TENSORS = 1 << 16
MOST_DIMENSIONS = 4
#: Longest text in bytes, and longest name of a key or a tensor.
LONGEST_TEXT, LONGEST_NAME = 1 << 24, 1 << 16
ALIGNMENT = 32

_STRING, _ARRAY, _FLOAT, _BOOL = 8, 9, 6, 7
_FORMS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", _FLOAT: "<f", _BOOL: "<B", 10: "<Q",
    11: "<q", 12: "<d",
}  # fmt: skip

#: The supported number formats; the others are recognised, and refused if a weight has them.
_SUPPORTED = ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q6_K")
ENCODINGS = ("F32", "F16", "BF16", *_SUPPORTED)


def _encodings() -> dict[int, Encoding]:
    encodings = {}
    for kind in GGMLQuantizationType:
        block, size = GGML_QUANT_SIZES[kind]
        plain = {"F32": F32, "F16": F16, "BF16": BF16}.get(kind.name)
        decode = functools.partial(_dequantised, kind)
        encodings[int(kind)] = plain or Encoding(kind.name, block, size, decode)
    return encodings


def _dequantised(kind: GGMLQuantizationType, raw: Bytes) -> NDArray[Any]:
    values: NDArray[Any] = quants.dequantize(raw, kind)
    return values


_ENCODINGS = _encodings()


@dataclass(frozen=True)
class Gguf:
    """A header: keys with their values, and the region of each tensor.

    Matrices are (rows, columns), the reverse of the order in GGUF. Arrays of numbers are numpy
    arrays, those of texts are lists.
    """

    version: int
    values: Mapping[str, Any]
    tensors: Mapping[str, Region]


def read_header(path: PathLike) -> Gguf:
    """The header of `path`; every offset is checked to be inside the file.

    Raises :class:`BadInput` naming the file, the field and the value.
    """
    with reading(path) as (file, _):
        mark = Mark.of(path, file)
        return _read(mark)


@functools.lru_cache(maxsize=1)  # used by a model and by its tokenizer
def _read(mark: Mark) -> Gguf:
    with open(mark.path, "rb") as file:
        return _Reader(file, mark).gguf()


class _Reader:
    """Reads a header, checking every size and count against the size of the file."""

    def __init__(self, file: BinaryIO, mark: Mark) -> None:
        self._file, self._mark = file, mark
        self._left = self._size = mark.size

    def gguf(self) -> Gguf:
        if self._take(4, "the magic") != MAGIC:
            raise BadInput("is not a GGUF file")
        version = self._number("<I", "version")
        if version not in VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
            what = "is big-endian" if swapped else f"must be one of {VERSIONS}"
            raise BadInput(f"GGUF version = {version} {what}")
        tensors = self._count("number of tensors", MOST_TENSORS, least=24)
        keys = self._count("number of keys", MOST_KEYS, least=13)
        values: dict[str, Any] = {}
        for index in range(keys):
            key = self._text(f"key {index}", LONGEST_NAME)
            if key in values:
                raise BadInput(f"key {brief(key)} occurs twice")
            values[key] = self._value(f"key {brief(key)}")
        offsets = [self._tensor(index) for index in range(tensors)]
        return Gguf(version, values, self._regions(offsets, _alignment(values)))

    def _regions(self, offsets: list[tuple[Region, int]], alignment: int) -> dict[str, Region]:
        header = self._size - self._left
        start = ceil_div(header, alignment) * alignment
        regions: dict[str, Region] = {}
        end, before = 0, "the header"
        for region, offset in sorted(offsets, key=lambda tensor: tensor[1]):
            name = brief(region.name)
            if region.name in regions:
                raise BadInput(f"tensor {name} occurs twice")
            if offset % alignment:
                raise BadInput(
                    f"tensor {name} has offset = {offset}, not a multiple of {alignment}"
                )
            if offset < end:
                raise BadInput(f"tensor {name} at offset {offset} overlaps {before}")
            end, before = offset + region.bytes, name
            if start + end > self._size:
                raise BadInput(
                    f"tensor {name} ends at byte {start + end} of a file of {self._size} bytes"
                )
            regions[region.name] = Region(
                self._mark, region.name, region.encoding, region.shape, start + offset
            )
        return regions

    def _tensor(self, index: int) -> tuple[Region, int]:
        """A tensor, without its final position, and its offset after the header."""
        name = self._text(f"tensor {index}", LONGEST_NAME)
        label = f"tensor {brief(name)}"
        dimensions = self._number("<I", f"{label} has dimensions")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise BadInput(f"{label} has {dimensions} dimensions, not 1 to {MOST_DIMENSIONS}")
        sizes = [self._number("<Q", f"{label} has size") for _ in range(dimensions)]
        if not all(1 <= size <= LARGEST for size in sizes):
            raise BadInput(f"{label} has sizes = {brief(sizes)}, not 1 to {LARGEST}")
        kind = self._number("<I", f"{label} has type")
        encoding = _ENCODINGS.get(kind)
        if encoding is None:
            raise BadInput(f"{label} has type = {kind}, which is unknown")
        if sizes[0] % encoding.block:
            raise BadInput(
                f"{label} has rows of {sizes[0]}, not a multiple of the {encoding.block} of"
                f" {encoding.name}"
            )
        offset = self._number("<Q", f"{label} has offset")
        if prod(sizes) // encoding.block * encoding.size + offset > self._size:
            raise BadInput(
                f"{label}, {brief(sizes)} numbers of {encoding.name} at offset {offset}, is not in"
                f" a file of {self._size} bytes"
            )
        return Region(self._mark, name, encoding, tuple(reversed(sizes)), 0), offset

    def _value(self, label: str) -> Any:
        kind = self._number("<I", f"{label} has type")
        if kind == _STRING:
            return self._text(label, LONGEST_TEXT)
        if kind == _ARRAY:
            return self._array(label)
        if kind not in _FORMS:
            raise BadInput(f"{label} has type = {kind}, which is unknown")
        return _plain(kind, self._number(_FORMS[kind], label))

    def _array(self, label: str) -> Any:
        kind = self._number("<I", f"{label} has a type of elements")
        count = self._number("<Q", f"{label} has a length")
        if kind == _STRING:
            if count > self._left // 8:
                raise BadInput(f"{label} has {count} texts, but {self._left} bytes are left")
            return [self._text(label, LONGEST_NAME) for _ in range(count)]
        if kind not in _FORMS:  # includes arrays of arrays, which no model has
            raise BadInput(f"{label} has elements of type = {kind}, which is unknown")
        dtype = np.dtype(_FORMS[kind])
        if count > self._left // dtype.itemsize:
            raise BadInput(f"{label} has {count} numbers, but {self._left} bytes are left")
        return np.frombuffer(self._take(count * dtype.itemsize, label), dtype)

    def _count(self, label: str, most: int, least: int) -> int:
        count = self._number("<Q", label)
        if count > min(most, self._left // least):
            raise BadInput(f"{label} = {count} is above {min(most, self._left // least)}")
        return count

    def _text(self, label: str, longest: int) -> str:
        (length,) = struct.unpack("<Q", self._take(8, label))
        if length > min(longest, self._left):
            raise BadInput(f"{label} has a text of {length} bytes, {self._left} are left")
        try:
            return self._take(length, label).decode()
        except UnicodeDecodeError:
            raise BadInput(f"{label} has a text that is not UTF-8") from None

    def _number(self, form: str, label: str) -> Any:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form), label))
        return number

    def _take(self, count: int, label: str) -> bytes:
        data = self._file.read(count) if count <= self._left else b""
        if len(data) < count:
            raise BadInput(f"file ends within {label}")
        self._left -= count
        return data


def _plain(kind: int, number: Any) -> Any:
    if kind == _BOOL:
        return bool(number)
    if kind == _FLOAT:
        # The shortest decimal of this float32, as its writer meant it: 1e-5, not 9.99...e-6.
        return float(str(np.float32(number)))
    return number


def _alignment(values: Mapping[str, Any]) -> int:
    alignment = values.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or not 8 <= alignment <= 1 << 16 or alignment % 8:
        raise BadInput(f"general.alignment = {brief(alignment)} must be a multiple of 8 to 65536")
    return alignment
