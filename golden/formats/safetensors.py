"""Safetensors files (github.com/huggingface/safetensors, README, "Format").

Our own reader and writer instead of the library: numpy has no bfloat16, and these process one
tensor at a time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from golden.formats.facts import LARGEST, brief, parsed_json
from golden.formats.foreign import foreign
from golden.formats.regions import BF16, F16, F32, Encoding, Mark, Region
from golden.tensors import Floats
from tools.errors import BadInput
from tools.files import PathLike, reading, shown

#: Longest header; a model with 80 layers has about 100 KB.
LONGEST_HEADER = 1 << 24
MOST_DIMENSIONS = 4

ENCODINGS = {encoding.name: encoding for encoding in (F32, F16, BF16)}
#: Bytes of the types not supported for weights: recognised, and refused if a weight has them.
OTHERS = {
    "F64": 8, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1,
    "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Safetensors:
    """The tensors of one file, by name, and its metadata."""

    tensors: Mapping[str, Region]
    metadata: Mapping[str, str]


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins with `head` looks like safetensors."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def read_header(path: PathLike) -> Safetensors:
    """The header of `path`; the tensors must cover the file without gap or overlap.

    Raises :class:`BadInput` naming the file, the tensor and the value.
    """
    with reading(path) as (file, size):
        front = file.read(8)
        length = int.from_bytes(front, "little")
        if len(front) < 8 or length > size - 8:
            if name := foreign(front + file.read(504)):
                raise BadInput(f"is {name}, not a safetensors file")
            raise BadInput(f"header length = {length} is beyond the file, {size} bytes")
        if length > LONGEST_HEADER:
            raise BadInput(f"header length = {length} is above {LONGEST_HEADER}")
        header = parsed_json(file.read(length))
        if not isinstance(header, dict):
            raise BadInput(f"header = {brief(header)} is not a JSON object")
        metadata = header.pop("__metadata__", None) or {}
        if not isinstance(metadata, dict):
            raise BadInput(f"__metadata__ = {brief(metadata)} is not a JSON object")
        mark = Mark.of(path, file)
        start = 8 + length
        tensors = {name: _region(mark, name, entry, start, size) for name, entry in header.items()}
        _check_cover(tensors, start, size)
        return Safetensors(tensors, metadata)


def _region(mark: Mark, name: str, entry: Any, start: int, size: int) -> Region:
    label = f"tensor {brief(name)}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise BadInput(f"{label} = {brief(entry)} must have dtype, shape and data_offsets")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _integers(shape, LARGEST) or len(shape) > MOST_DIMENSIONS:
        raise BadInput(f"{label} has shape = {brief(shape)}, not up to {MOST_DIMENSIONS} sizes")
    if not _integers(offsets, size) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BadInput(f"{label} has data_offsets = {brief(offsets)}, not two ascending ones")
    if start + offsets[1] > size:
        raise BadInput(f"{label} ends at byte {start + offsets[1]} of a file of {size} bytes")
    dtype = entry["dtype"]
    encoding = ENCODINGS.get(dtype) if isinstance(dtype, str) else None
    if encoding is None:
        if not isinstance(dtype, str) or dtype not in OTHERS:
            raise BadInput(f"{label} has dtype = {brief(dtype)}, which is unknown")
        encoding = Encoding(dtype, 1, OTHERS[dtype], _unsupported)
    if prod(shape) * encoding.size != offsets[1] - offsets[0]:
        raise BadInput(
            f"{label} has {offsets[1] - offsets[0]} bytes, but {brief(shape)} numbers of {dtype}"
        )
    return Region(mark, name, encoding, tuple(shape), start + offsets[0])


def _integers(values: Any, most: int) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n <= most for n in values)


def _unsupported(raw: Any) -> Any:
    raise AssertionError("a tensor of an unsupported type is refused before it is read")


def _check_cover(tensors: Mapping[str, Region], start: int, size: int) -> None:
    """Raise unless the tensors are contiguous up to the end of the file."""
    end, last = start, "the header"
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if tensor.offset != end:
            problem = "overlaps" if tensor.offset < end else "leaves a gap after"
            raise BadInput(f"tensor {brief(name)} at byte {tensor.offset} {problem} {last}")
        end, last = tensor.offset + tensor.bytes, brief(name)
    if end != size:
        raise BadInput(f"file size = {size} bytes, but its tensors end at {end}")


def regions_of(paths: Mapping[str, PathLike]) -> dict[str, Region]:
    """The tensors of an index, which maps tensor names to files.

    Raises :class:`BadInput` if a file lacks a tensor of the index.
    """
    headers = {path: read_header(path) for path in dict.fromkeys(paths.values())}
    regions = {}
    for name, path in paths.items():
        if name not in headers[path].tensors:
            raise BadInput(f"{shown(path)}: tensor {brief(name)} of the index is missing")
        regions[name] = headers[path].tensors[name]
    return regions


#: Conversion of a float32 array for storage, by the name of the type.
STORED: Mapping[str, Callable[[Floats], NDArray[Any]]] = {
    "F32": lambda values: values.astype("<f4"),
    "F16": lambda values: values.astype("<f2"),
    "BF16": lambda values: _to_bf16(values),
}


def _to_bf16(values: Floats) -> NDArray[np.uint16]:
    """The upper halves, rounded to nearest, ties to even (values are finite)."""
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype("<u2")


def write(
    file: BinaryIO, kind: str, tensors: Mapping[str, tuple[tuple[int, ...], Callable[[], Floats]]]
) -> None:
    """Write tensors as `kind`, one of `STORED`. A tensor is a shape and a function that returns
    its values, called one after the other. Raises :class:`BadInput` for values out of range."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (shape, _) in tensors.items():
        size = prod(shape) * ENCODINGS[kind].size
        header[name] = {
            "dtype": kind,
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned
    file.write(len(text).to_bytes(8, "little") + text)
    for name, (_, values_of) in tensors.items():
        values = values_of()
        with np.errstate(over="ignore"):
            raw = STORED[kind](values)
        back = ENCODINGS[kind].decode(raw.reshape(1, -1).view(np.uint8))
        if not np.isfinite(back).all():
            largest = float(np.abs(values).max())
            raise BadInput(f"tensor {name} holds {largest:.6g}, out of range of {kind}")
        file.write(cast(bytes, raw.data))
