"""The weight image, quantised weights in schedule order, and its file format."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from golden.case import Case
from golden.passes import from_beats, to_beats
from golden.quantise import Model, Rows
from spec.config import Config, config_from_dict, config_to_dict
from spec.schedule import Op, attention_order, image, layer_ops, matrix
from tools.errors import BadInput
from tools.files import PathLike, reading, replacing


def pack(model: Model) -> np.ndarray:
    """The image of `model`, (beats, lanes) int8 or int16, in the order of `spec.schedule`."""
    config = model.config
    lanes = config.geometry.lanes
    # The embedding of each token is a matrix of one column.
    embedding = Rows(model.embedding.weights[..., None], model.embedding.shift)
    parts = [to_beats(embedding, matrix(config, Op.EMBED)).reshape(-1, lanes)]
    order = list(attention_order(config))
    for layer in model.layers:
        for op in layer_ops(config):
            rows = layer[op]
            if op is Op.WO:
                rows = Rows(rows.weights[:, order], rows.shift)
            parts.append(to_beats(rows, matrix(config, op)))
    parts.append(to_beats(model.classifier, matrix(config, Op.CLS)))
    packed = np.concatenate(parts, dtype=_dtype(config), casting="unsafe")
    assert packed.shape == (image(config).beats, lanes)
    return packed


def unpack(config: Config, packed: np.ndarray) -> Model:
    """The inverse of `pack`.

    Raises :class:`BadInput` for an image of another size, or with padding that is not zero.
    """
    packed = _checked_image(config, packed)
    lanes, layout = config.geometry.lanes, image(config)
    order = list(attention_order(config))
    beats = packed.astype(np.int64)

    def matrix_at(op: Op, start: int) -> Rows:
        """The matrix of `op`, whose beats begin at `start`."""
        spec = matrix(config, op)
        rows = from_beats(beats[start : start + spec.beats], spec)
        if op is Op.WO:
            weights = np.empty_like(rows.weights)
            weights[:, order] = rows.weights
            rows = Rows(weights, rows.shift)
        return rows

    def layers() -> Iterator[dict[Op, Rows]]:
        start = layout.body
        for _ in range(config.shape.layers):
            layer = {}
            for op in layer_ops(config):
                layer[op] = matrix_at(op, start)
                start += matrix(config, op).beats
            yield layer

    table = beats[: layout.body].reshape(config.shape.vocab, -1, lanes)
    embedding = from_beats(table, matrix(config, Op.EMBED))
    return Model(
        config=config,
        embedding=Rows(embedding.weights[..., 0], embedding.shift),
        layers=tuple(layers()),
        classifier=matrix_at(Op.CLS, layout.body + layout.body_beats),
    )


def _checked_image(config: Config, packed: np.ndarray | None) -> np.ndarray:
    shape = (image(config).beats, config.geometry.lanes)
    if packed is None or packed.shape != shape or packed.dtype != _dtype(config):
        actual = "missing" if packed is None else f"{packed.dtype} {packed.shape}"
        raise BadInput(f"image is {actual}, expected {_dtype(config)} {shape}")
    return packed


#: Format of the file that `save` writes.
FILE_VERSION = "veridecode image 1"


def save(path: PathLike, model: Model, case: Case | None = None) -> None:
    """Write the packed image and its configuration as a safetensors file, atomically.

    The tensor `image` is what `pack` returns; the metadata field `config` holds shape, lanes and
    the format of every tensor as JSON. With a `case`, which becomes the field `case`, the file is a
    reproducer. Raises :class:`BadInput` if the file cannot be written.
    """
    metadata = {"version": FILE_VERSION, "config": json.dumps(config_to_dict(model.config))}
    if case is not None:
        metadata["case"] = case.to_json()
    with replacing(path) as file:
        file.write(_serialised(pack(model), metadata))


def _serialised(packed: np.ndarray, metadata: dict[str, str]) -> bytes:
    """The safetensors file of `packed`. (The library writes metadata in a random order.)"""
    tensor = {
        "dtype": f"I{8 * packed.itemsize}",
        "shape": packed.shape,
        "data_offsets": [0, packed.nbytes],
    }
    header = json.dumps({"__metadata__": metadata, "image": tensor}).encode()
    header += b" " * (-len(header) % 8)
    values = packed.astype(packed.dtype.newbyteorder("<")).tobytes()
    return len(header).to_bytes(8, "little") + header + values


def is_image(path: PathLike) -> bool:
    """Whether the first bytes of `path` look like a file of `save`; it may still be damaged.

    False for a folder, which a checkpoint may be.
    """
    if Path(path).is_dir():
        return False
    with reading(path) as (file, _):
        return b"veridecode image" in file.read(1 << 10)


def load(path: PathLike) -> tuple[Config, np.ndarray]:
    """Read a file of `save`: the configuration and the image.

    Raises :class:`BadInput`, naming file and field, for anything else.
    """
    with reading(path) as (file, _):
        config, packed, _ = _parsed(file.read())
        return config, packed


def load_case(path: PathLike) -> tuple[Model, Case]:
    """Read a reproducer, a file of `save` with a case: the model and the case.

    Raises :class:`BadInput`, naming file and field, for anything else.
    """
    with reading(path) as (file, _):
        config, packed, case = _parsed(file.read())
        if case is None:
            raise BadInput("case is missing: this is a weight image, not a reproducer")
        return unpack(config, packed), case


def _parsed(raw: bytes) -> tuple[Config, np.ndarray, Case | None]:
    try:
        tensors = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise BadInput(f"is not a safetensors file ({error})") from None
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    metadata = header.get("__metadata__", {})
    if metadata.get("version") != FILE_VERSION:
        raise BadInput(f"version = {metadata.get('version')!r} is not {FILE_VERSION!r}")
    try:
        config = config_from_dict(json.loads(metadata["config"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"config is not readable ({error})") from None
    packed = _checked_image(config, tensors.get("image"))
    case = None
    if "case" in metadata:
        case = Case.from_json(metadata["case"])
        case.check(config)
    return config, packed, case


def _dtype(config: Config) -> np.dtype:
    return np.dtype(np.int8 if config.numerics.weight_bits == 8 else np.int16)
