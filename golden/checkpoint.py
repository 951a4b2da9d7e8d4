"""Checkpoint files of llama2.c, versions v0, v1 and v2, read and written.

The layout of every version is one list of sections (:func:`_sections`), shared by the reader, the
writer and the check of the file's size.
"""

import dataclasses
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from design.errors import BadInput
from design.files import PathLike, reading, replacing
from design.shape import SIZES, Shape

Floats = NDArray[np.float32]

MAGIC = 0x616B3432  # "ak42"
V0_HEADER = 28  # bytes
V1_HEADER = 256
GROUP = 64  # weights that share one scale in v2, unless the caller says otherwise

NORMS = ("rms_att", "rms_ffn", "rms_final")
MATRICES = ("wq", "wk", "wv", "wo", "w1", "w2", "w3")
BIASES = ("bq", "bk", "bv")


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every weight tensor; matrices are (out, in) behind the layer.

    There are biases (`BIASES`) only where the shape has `qkv_bias`.
    """
    d, h, q, kv, n = shape.dim, shape.hidden, shape.q_dim, shape.kv_dim, shape.layers
    biases = {"bq": (n, q), "bk": (n, kv), "bv": (n, kv)}
    return {
        "tok_embeddings": (shape.vocab, d),
        "rms_att": (n, d),
        "wq": (n, q, d),
        "wk": (n, kv, d),
        "wv": (n, kv, d),
        "wo": (n, d, q),
        "rms_ffn": (n, d),
        "w1": (n, h, d),
        "w2": (n, d, h),
        "w3": (n, h, d),
        "rms_final": (d,),
        "wcls": (shape.vocab, d),
    } | (biases if shape.qkv_bias else {})


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model: its shape and its float32 weights, keyed and shaped as :func:`tensor_shapes` says.

    Where `shared`, `wcls` is the very array of `tok_embeddings`. Raises :class:`BadInput` for a
    tensor that is missing, misshapen, not float32, or holds NaN or infinity.
    """

    shape: Shape
    weights: dict[str, Floats]
    shared: bool

    def __post_init__(self) -> None:
        expected = tensor_shapes(self.shape)
        if self.weights.keys() != expected.keys():
            odd = sorted(self.weights.keys() ^ expected.keys())
            raise BadInput(f"Checkpoint.weights lacks or does not know {', '.join(odd)}")
        for name, tensor in self.weights.items():
            if tensor.shape != expected[name] or tensor.dtype != np.float32:
                raise BadInput(
                    f"tensor {name} is {tensor.dtype} {tensor.shape}, not float32 {expected[name]}"
                )
            finite = np.isfinite(tensor)
            if not finite.all():
                index = int(np.argmin(finite))
                raise BadInput(f"tensor {name} holds {tensor.flat[index]} at flat index {index}")
        if self.shared and self.weights["wcls"] is not self.weights["tok_embeddings"]:
            raise BadInput("tensor wcls is not tok_embeddings, though shared = True")


def random_checkpoint(
    shape: Shape, seed: int, *, scale: float = 1.0, shared: bool = True
) -> Checkpoint:
    """A model of random weights with realistic ranges.

    Matrices and the embedding are normal with standard deviation `scale` / sqrt(fan in), so that
    activations stay near 1 for `scale` 1; norm gains are normal around 1 with deviation 0.1, biases
    around 0 with deviation `scale`.
    """
    random = np.random.default_rng(seed)
    weights: dict[str, Floats] = {}
    for name, dims in tensor_shapes(shape).items():
        if name == "wcls" and shared:
            weights[name] = weights["tok_embeddings"]
            continue
        normal = random.standard_normal(dims, np.float32)
        if name in NORMS:
            weights[name] = 1 + np.float32(0.1) * normal
        elif name in BIASES:
            weights[name] = normal * np.float32(scale)
        else:
            weights[name] = normal * np.float32(scale / math.sqrt(dims[-1]))
    return Checkpoint(shape=shape, weights=weights, shared=shared)


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What stands before the weights. `group` is 0 except in v2."""

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
            raise BadInput(f"version = {version} behind the magic must be 1 or 2")
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
    """Raise :class:`BadInput` where the header, which holds sizes alone, cannot say the shape."""
    if shape.q_dim != shape.dim:
        raise BadInput(f"llama2.c files cannot say head_dim = {shape.head_dim} (not dim / heads)")
    plain = Shape.of_sizes(*(getattr(shape, name) for name in SIZES))
    for field in dataclasses.fields(Shape):
        value = getattr(shape, field.name)
        if value != getattr(plain, field.name):
            raise BadInput(f"llama2.c files cannot say {field.name} = {value!r}")


def _check_group(group: int) -> None:
    if not 1 <= group < 1 << 31:
        raise BadInput(f"group size = {group} must be 1 to {(1 << 31) - 1}")


@dataclass(frozen=True, kw_only=True)
class _Section:
    """One contiguous run of a file: a tensor with the layers behind one another.

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
    return -(-numel // group)  # the last one may be short


def _sections(header: _Header) -> Iterator[_Section]:
    """Everything behind the header, in the order of the file."""
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


def read_checkpoint(path: PathLike) -> Checkpoint:
    """Read a checkpoint of version v0, v1 or v2 (int8 groups come back as float32).

    v1 and v2 are known by their magic, all else is taken for v0. The header must account for every
    byte of the file before anything is allocated. Raises :class:`BadInput` naming the file, the
    field and the value for anything that is not such a file, or holds NaN or infinity.
    """
    with reading(path) as (file, size):
        header = _Header.read(file)
        _check_size(header, size)
        dims = tensor_shapes(header.shape)
        weights: dict[str, Floats] = {}
        for section in _sections(header):
            if section.kind == "rope":
                file.seek(section.size(0), os.SEEK_CUR)
                continue
            values = _read_section(file, section, header.group)
            weights[section.tensor] = values.reshape(dims[section.tensor])
        if header.shared:
            weights["wcls"] = weights["tok_embeddings"]
        return Checkpoint(shape=header.shape, weights=weights, shared=header.shared)


def _check_size(header: _Header, size: int) -> None:
    needed = len(header.pack()) + sum(s.size(header.group) for s in _sections(header))
    if size != needed:
        sizes = ", ".join(f"{name} {getattr(header.shape, name)}" for name in SIZES)
        if header.version == 2:
            sizes += f", group {header.group}"
        raise BadInput(
            f"file size = {size} bytes, but its v{header.version} header needs {needed} ({sizes})"
        )


def _read_section(file: BinaryIO, section: _Section, group: int) -> Floats:  # (numel,)
    if section.kind == "float":
        return _read_array(file, "<f4", section.numel)
    values = np.empty(section.numel, np.float32)
    for cut in values.reshape(section.cuts, -1):
        quants = _read_array(file, "i1", cut.size)
        scales = _read_array(file, "<f4", _groups(cut.size, group))
        with np.errstate(all="ignore"):  # Checkpoint reports NaN and overflow with their place
            np.multiply(quants, _spread(scales, group, cut.size), out=cut)
    return values


def _spread(scales: Floats, group: int, numel: int) -> Floats:  # (groups,) -> (numel,)
    # A group may be far longer than the tensor: the repeat must not follow it there.
    return np.repeat(scales, min(group, numel))[:numel]


def _read_array(file: BinaryIO, dtype: str, count: int) -> NDArray[Any]:
    values = np.fromfile(file, dtype, count)
    if len(values) < count:
        raise BadInput(f"file ended after {len(values)} of {count} values, shortened while read")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def write_checkpoint(
    path: PathLike, checkpoint: Checkpoint, version: int = 0, group: int = GROUP
) -> None:
    """Write a checkpoint file, whole or not at all.

    v2 quantises each layer's tensor, flattened, in groups of `group` values to int8 with one
    float32 scale a group (largest magnitude / 127). Groups may straddle rows; where the tensor is
    no multiple of the group the last group is short and has a scale like the others, a case that
    llama2.c refuses to write. Raises :class:`BadInput` for another version, a group below 1, a
    shape that the header cannot say, or a place that cannot be written.
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
            values = checkpoint.weights[section.tensor]
            if section.kind == "float":
                _write_array(file, values, "<f4")
                continue
            for cut in values.reshape(section.cuts, -1):
                quants, scales = _quantise(cut, group)
                _write_array(file, quants, "i1")
                _write_array(file, scales, "<f4")


def _write_array(file: BinaryIO, values: NDArray[Any], dtype: str) -> None:
    file.write(cast(bytes, np.ascontiguousarray(values, dtype).data))


def _quantise(flat: Floats, group: int) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric int8, one scale for every `group` values in a row."""
    starts = np.arange(0, flat.size, group)
    peaks: Floats = np.maximum.reduceat(np.abs(flat), starts)
    scales: Floats = peaks / np.float32(127)
    spread = _spread(scales, group, flat.size)
    # A group of zeros has scale 0. A scale among the subnormals is coarse, so its quotient may
    # pass 127.
    ratio = np.divide(flat, spread, out=np.zeros_like(flat), where=spread > 0)
    return np.clip(np.rint(ratio), -127, 127).astype(np.int8), scales


def _rope_tables(shape: Shape) -> NDArray[np.float64]:  # (2, S, hs/2)
    angles = np.outer(np.arange(shape.seq_len), shape.rope_rates)
    return np.stack([np.cos(angles), np.sin(angles)])
