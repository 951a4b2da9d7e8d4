"""Checkpoint files of llama2.c (`run.c`, `export.py`), versions v0, v1 and v2, read and written.

The layout of every version is a list of sections (:func:`_sections`), used by the reader, the
writer and the check of the file size.
"""

import dataclasses
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from golden.checkpoint import MATRICES, NORMS, Checkpoint, tensor_shapes
from golden.checkpoints.survey import Entry, Survey
from golden.formats.regions import F32, Mark, Region
from golden.tensors import Floats, LazyTensor, Stored, Tensor
from spec.derived import ceil_div
from spec.shape import SIZES, Shape
from tools.errors import BadInput
from tools.files import PathLike, reading, replacing, shown

MAGIC = 0x616B3432  # "ak42"
V0_HEADER = 28  # bytes
V1_HEADER = 256
GROUP = 64  # default number of weights that share one scale in v2

#: Tensors that are not a stack of layers.
SINGLE = ("tok_embeddings", "rms_final", "wcls")


@dataclass(frozen=True, kw_only=True)
class _Header:
    """The header of a file. `group` is 0 except in v2."""

    version: int
    shape: Shape
    shared: bool
    group: int = 0

    def pack(self) -> bytes:
        d = self.shape
        sign = -1 if self.version == 0 and not self.shared else 1
        sizes = struct.pack(
            "<7i", d.dim, d.hidden, d.layers, d.heads, d.kv_heads, sign * d.vocab, d.seq_len
        )
        if self.version == 0:
            return sizes
        front = struct.pack("<Ii", MAGIC, self.version) + sizes + struct.pack("<B", self.shared)
        if self.version == 2:
            front += struct.pack("<i", self.group)
        return front.ljust(V1_HEADER, b"\0")

    @classmethod
    def read(cls, file: BinaryIO) -> "_Header":
        data = file.read(V0_HEADER)
        if len(data) < V0_HEADER:
            raise BadInput(f"header has {len(data)} bytes, needs {V0_HEADER}")
        if struct.unpack_from("<I", data) != (MAGIC,):
            *sizes, vocab, seq_len = struct.unpack("<7i", data)
            try:
                shape = Shape.of_sizes(*sizes, abs(vocab), seq_len)
            except BadInput as error:
                raise BadInput(f"{error} (no magic, so read as v0)") from None
            return cls(version=0, shape=shape, shared=vocab > 0)
        data += file.read(V1_HEADER - V0_HEADER)
        if len(data) < V1_HEADER:
            raise BadInput(f"header has {len(data)} bytes, needs {V1_HEADER}")
        version, *sizes, shared, group = struct.unpack_from("<8iBi", data, 4)
        if version not in (1, 2):
            raise BadInput(f"version = {version} after the magic must be 1 or 2")
        if shared not in (0, 1):
            raise BadInput(f"shared flag = {shared} must be 0 or 1")
        if version == 1:
            header = cls(version=1, shape=Shape.of_sizes(*sizes), shared=bool(shared))
        else:
            _check_group(group)
            header = cls(version=2, shape=Shape.of_sizes(*sizes), shared=bool(shared), group=group)
        for index, (byte, expected) in enumerate(zip(data, header.pack(), strict=True)):
            if byte != expected:
                raise BadInput(f"header byte {index} = {byte} must be {expected}")
        return header


def _check_writable(shape: Shape) -> None:
    """Raise :class:`BadInput` if the header, which has only sizes, cannot express the shape."""
    if shape.q_dim != shape.dim:
        raise BadInput(
            f"llama2.c files cannot express head_dim = {shape.head_dim} (not dim / heads)"
        )
    plain = Shape.of_sizes(*(getattr(shape, name) for name in SIZES))
    for field in dataclasses.fields(Shape):
        value = getattr(shape, field.name)
        if value != getattr(plain, field.name):
            raise BadInput(f"llama2.c files cannot express {field.name} = {value!r}")


def _check_group(group: int) -> None:
    if not 1 <= group < 1 << 31:
        raise BadInput(f"group size = {group} must be 1 to {(1 << 31) - 1}")


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A contiguous section of a file: a tensor, layer after layer.

    `kind` is "float", "int8" (v2: `cuts` times int8 data followed by the scales of its groups) or
    "rope" (v0: a table of cosines and sines that readers skip).
    """

    tensor: str
    numel: int
    kind: Literal["float", "int8", "rope"] = "float"
    cuts: int = 1

    def size(self, group: int) -> int:
        """Bytes in the file."""
        if self.kind == "int8":
            return self.numel + 4 * self.cuts * _groups(self.numel // self.cuts, group)
        return 4 * self.numel


def _groups(numel: int, group: int) -> int:
    return ceil_div(numel, group)  # the last one may be short


def _sections(header: _Header) -> Iterator[_Section]:
    """Everything after the header, in the order of the file."""
    shape = header.shape
    numel = {name: math.prod(dims) for name, dims in tensor_shapes(shape).items()}
    classifier = () if header.shared else ("wcls",)
    if header.version == 0:
        for name in numel:  # tensor_shapes lists them in the order of v0
            if name != "wcls":
                yield _Section(tensor=name, numel=numel[name])
        yield _Section(tensor="rope", numel=shape.seq_len * shape.head_dim, kind="rope")
        for name in classifier:
            yield _Section(tensor=name, numel=numel[name])
        return
    for name in NORMS:
        yield _Section(tensor=name, numel=numel[name])
    for name in ("tok_embeddings", *MATRICES, *classifier):
        if header.version == 1:
            yield _Section(tensor=name, numel=numel[name])
        else:
            cuts = shape.layers if name in MATRICES else 1
            yield _Section(tensor=name, numel=numel[name], kind="int8", cuts=cuts)


def survey(path: PathLike) -> Survey:
    """Read the header of a checkpoint of version v0, v1 or v2 (int8 groups become float32).

    v1 and v2 are recognised by their magic, anything else is taken for v0. The header must account
    for every byte of the file. Raises :class:`BadInput` naming the file, the field and the value
    for anything else.
    """
    with reading(path) as (file, size):
        header = _Header.read(file)
        _check_size(header, size)
        mark = Mark.of(path, file)
    dims = tensor_shapes(header.shape)
    at = len(header.pack())
    entries: dict[str, Entry] = {}
    weights: dict[str, Tensor] = {}
    for section in _sections(header):
        size = section.size(header.group)
        if section.kind != "rope":
            kind = f"int8 in groups of {header.group}" if section.kind == "int8" else "F32"
            entries[section.tensor] = Entry(kind, dims[section.tensor], size)
            weights[section.tensor] = _lazy(mark, section, dims[section.tensor], header.group, at)
        at += size
    if header.shared:
        weights["wcls"] = weights["tok_embeddings"]
    return Survey(f"llama2.c v{header.version}", header.shape, entries, weights, header.shared)


def _lazy(mark: Mark, section: _Section, dims: tuple[int, ...], group: int, at: int) -> LazyTensor:
    stacked = section.tensor not in SINGLE
    layers = dims[0] if stacked else 1
    size = section.size(group) // layers
    parts: list[Stored] = []
    for layer in range(layers):
        name = f"{section.tensor}[{layer}]" if stacked else section.tensor
        shape, offset = dims[stacked:], at + layer * size
        if section.kind == "int8":
            parts.append(_Groups(mark, name, shape, offset, group))
        else:
            parts.append(Region(mark, name, F32, shape, offset))
    return LazyTensor(parts, stacked=stacked)


@dataclass(frozen=True)
class _Groups:
    """A tensor of v2: int8, row after row, and then a float32 scale for each `group` of them."""

    mark: Mark
    name: str
    shape: tuple[int, ...]
    offset: int
    group: int

    @property
    def label(self) -> str:
        return f"{shown(self.mark.path)}: tensor {self.name}"

    def read(self, start: int, stop: int) -> Floats:
        """Groups may straddle rows, so the whole tensor is read."""
        numel = math.prod(self.shape)
        raw = self.mark.read(self.offset, numel + 4 * _groups(numel, self.group))
        scales = raw[numel:].copy().view("<f4")
        values = raw[:numel].view(np.int8).astype(np.float32)
        with np.errstate(all="ignore"):  # values that are not finite are reported by the caller
            values *= _spread(scales, self.group, numel)
        return values.reshape(self.shape)[start:stop]


def _check_size(header: _Header, size: int) -> None:
    needed = len(header.pack()) + sum(s.size(header.group) for s in _sections(header))
    if size != needed:
        sizes = ", ".join(f"{name} {getattr(header.shape, name)}" for name in SIZES)
        if header.version == 2:
            sizes += f", group {header.group}"
        raise BadInput(
            f"file size = {size} bytes, but its v{header.version} header needs {needed} ({sizes})"
        )


def _spread(scales: NDArray[Any], group: int, numel: int) -> Floats:  # (groups,) -> (numel,)
    # A group may be far longer than the tensor, so the repeat is bounded.
    return np.repeat(scales, min(group, numel))[:numel]


def write(path: PathLike, checkpoint: Checkpoint, version: int = 0, group: int = GROUP) -> None:
    """Write a checkpoint file atomically.

    v2 quantises the flattened tensor of each layer to int8, with one float32 scale (largest
    magnitude / 127) for each `group` values. Groups may straddle rows. If the size is not a
    multiple of the group, the last group is shorter; llama2.c refuses to write this case. Raises
    :class:`BadInput` for another version, a group below 1, a shape that the header cannot express,
    or a file that cannot be written.
    """
    if version not in (0, 1, 2):
        raise BadInput(f"checkpoint version = {version} must be 0, 1 or 2")
    if version == 2:
        _check_group(group)
    _check_writable(checkpoint.shape)
    header = _Header(
        version=version,
        shape=checkpoint.shape,
        shared=checkpoint.shared,
        group=group if version == 2 else 0,
    )
    with replacing(path) as file:
        file.write(header.pack())
        for section in _sections(header):
            if section.kind == "rope":
                _write_array(file, _rope_tables(header.shape), "<f4")
                continue
            tensor = checkpoint.weights[section.tensor]
            stacked = section.tensor not in SINGLE
            for layer in range(len(tensor)) if stacked else [slice(None)]:
                values = tensor[layer]
                if section.kind == "float":
                    _write_array(file, values, "<f4")
                    continue
                quants, scales = _quantise(values.ravel(), group)
                _write_array(file, quants, "i1")
                _write_array(file, scales, "<f4")


def _write_array(file: BinaryIO, values: NDArray[Any], dtype: str) -> None:
    file.write(cast(bytes, np.ascontiguousarray(values, dtype).data))


def _quantise(flat: Floats, group: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8, with one scale for every `group` consecutive values."""
    starts = np.arange(0, flat.size, group)
    peaks: Floats = np.maximum.reduceat(np.abs(flat), starts)
    scales: Floats = peaks / np.float32(127)
    spread = _spread(scales, group, flat.size)
    # A group of zeros has scale 0. A subnormal scale is coarse, so the quotient may exceed 127.
    ratio = np.divide(flat, spread, out=np.zeros_like(flat), where=spread > 0)
    return np.clip(np.rint(ratio), -127, 127).astype(np.int8), scales


def _rope_tables(shape: Shape) -> NDArray[np.float64]:  # (2, S, hs/2)
    angles = np.outer(np.arange(shape.seq_len), shape.rope_rates)
    return np.stack([np.cos(angles), np.sin(angles)])
