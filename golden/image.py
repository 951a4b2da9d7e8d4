"""The weight image: quantised weights laid out in schedule order, and its file."""

import json
from collections.abc import Iterator

import numpy as np
import safetensors
import safetensors.numpy

from design.config import Config, config_from_dict, config_to_dict
from design.derived import MAX_SHIFT, ceil_div
from design.errors import BadInput
from design.files import PathLike, reading, replacing
from design.schedule import LAYER_OPS, Op, attention_order, image, matrix
from golden.case import Case
from golden.quantise import Model, Rows


def _passes(rows: Rows, lanes: int) -> np.ndarray:
    """(passes * (1 + cols), lanes): for each pass the header beat, then a beat per column."""
    count, cols = rows.weights.shape
    passes = ceil_div(count, lanes)
    beats = np.zeros((passes * lanes, 1 + cols), dtype=np.int64)
    beats[:count, 0] = rows.shift
    beats[:count, 1:] = rows.weights
    # (passes, lanes, 1 + cols) -> (passes, 1 + cols, lanes)
    return beats.reshape(passes, lanes, 1 + cols).swapaxes(1, 2).reshape(-1, lanes)


def _embedding(rows: Rows, lanes: int) -> np.ndarray:
    """The embedding rows of all tokens, each a matrix of one column."""
    vocab, dim = rows.weights.shape
    padded = np.zeros((2, vocab, ceil_div(dim, lanes) * lanes), dtype=np.int64)
    padded[0, :, :dim] = rows.shift
    padded[1, :, :dim] = rows.weights
    # (2, vocab, passes, lanes) -> (vocab, passes, 2, lanes)
    return padded.reshape(2, vocab, -1, lanes).transpose(1, 2, 0, 3).reshape(-1, lanes)


def pack(model: Model) -> np.ndarray:
    """The image of `model`, (beats, lanes) int8 or int16, in the order of `design.schedule`."""
    config = model.config
    lanes = config.geometry.lanes
    parts = [_embedding(model.embedding, lanes)]
    order = list(attention_order(config))
    for layer in model.layers:
        for op in LAYER_OPS:
            rows = layer[op]
            if op is Op.WO:
                rows = Rows(rows.weights[:, order], rows.shift)
            parts.append(_passes(rows, lanes))
    parts.append(_passes(model.classifier, lanes))
    packed = np.concatenate(parts).astype(_dtype(config))
    assert packed.shape == (image(config).beats, lanes)
    return packed


def unpack(config: Config, packed: np.ndarray) -> Model:
    """The model that `pack` makes `packed` of.

    Raises :class:`BadInput` for an image that `pack` cannot make: of another size, with padding
    that is not zero, or with a shift that the hardware cannot do.
    """
    packed = _checked_image(config, packed)
    lanes, layout = config.geometry.lanes, image(config)
    order = list(attention_order(config))
    beats = packed.astype(np.int64)

    def rows(op: Op, start: int) -> Rows:
        """The matrix of `op`, whose beats begin at `start`."""
        spec = matrix(config, op)
        # (passes, 1 + cols, lanes) -> (passes * lanes, 1 + cols)
        passes = beats[start : start + spec.beats].reshape(spec.passes, 1 + spec.cols, lanes)
        every = passes.swapaxes(1, 2).reshape(-1, 1 + spec.cols)
        found = _checked(op, every[: spec.rows, 1:], every[: spec.rows, 0], every[spec.rows :])
        if op is Op.WO:
            weights = np.empty_like(found.weights)
            weights[:, order] = found.weights
            found = Rows(weights, found.shift)
        return found

    def layers() -> Iterator[dict[Op, Rows]]:
        start = layout.body
        for _ in range(config.shape.layers):
            layer = {}
            for op in LAYER_OPS:
                layer[op] = rows(op, start)
                start += matrix(config, op).beats
            yield layer

    vocab, dim = config.shape.vocab, config.shape.dim
    # (vocab, passes, 2, lanes) -> (2, vocab, passes * lanes)
    table = beats[: layout.body].reshape(vocab, -1, 2, lanes).transpose(2, 0, 1, 3)
    shift, weights = table.reshape(2, vocab, -1)
    padding = np.concatenate([shift[:, dim:], weights[:, dim:]])
    return Model(
        config=config,
        embedding=_checked(Op.EMBED, weights[:, :dim], shift[:, :dim], padding),
        layers=tuple(layers()),
        classifier=rows(Op.CLS, layout.body + layout.body_beats),
    )


def _checked(op: Op, weights: np.ndarray, shift: np.ndarray, padding: np.ndarray) -> Rows:
    if padding.any():
        raise BadInput(f"image has padding that is not zero in {op.name}")
    bad = shift[(shift < 0) | (shift > MAX_SHIFT)]
    if bad.size:
        raise BadInput(f"image has shift {bad[0]} in {op.name}, must be 0 to {MAX_SHIFT}")
    return Rows(np.ascontiguousarray(weights), np.ascontiguousarray(shift))


def _checked_image(config: Config, packed: np.ndarray | None) -> np.ndarray:
    shape = (image(config).beats, config.geometry.lanes)
    if packed is None or packed.shape != shape or packed.dtype != _dtype(config):
        found = "missing" if packed is None else f"{packed.dtype} {packed.shape}"
        raise BadInput(f"image is {found}, expected {_dtype(config)} {shape}")
    return packed


#: Format of the file that `save` writes.
FILE_VERSION = "veridecode image 1"


def save(path: PathLike, model: Model, case: Case | None = None) -> None:
    """Write the packed image and its configuration as a safetensors file, atomically.

    The tensor `image` is what `pack` returns; the metadata field `config` holds shape, lanes and
    the format of every tensor as JSON. With a `case`, which becomes the field `case`, the file is a
    reproducer. Raises :class:`BadInput` if the place cannot be written.
    """
    metadata = {"version": FILE_VERSION, "config": json.dumps(config_to_dict(model.config))}
    if case is not None:
        metadata["case"] = case.to_json()
    with replacing(path) as file:
        file.write(_serialised(pack(model), metadata))


def _serialised(packed: np.ndarray, metadata: dict[str, str]) -> bytes:
    """The safetensors file of `packed`. (The library would put metadata in an order of chance.)"""
    tensor = {
        "dtype": f"I{8 * packed.itemsize}",
        "shape": packed.shape,
        "data_offsets": [0, packed.nbytes],
    }
    header = json.dumps({"__metadata__": metadata, "image": tensor}).encode()
    header += b" " * (-len(header) % 8)
    values = packed.astype(packed.dtype.newbyteorder("<")).tobytes()
    return len(header).to_bytes(8, "little") + header + values


def load(path: PathLike) -> tuple[Config, np.ndarray]:
    """Read what `save` wrote: the configuration and the image.

    Raises :class:`BadInput`, naming file and field, for anything else.
    """
    with reading(path) as (file, _):
        config, packed, _ = _parsed(file.read())
        return config, packed


def load_case(path: PathLike) -> tuple[Model, Case]:
    """Read a reproducer, which is what `save` wrote with a case: the model and the case.

    Raises :class:`BadInput`, naming file and field, for anything else.
    """
    with reading(path) as (file, _):
        config, packed, case = _parsed(file.read())
        if case is None:
            raise BadInput("case is missing: this is a weight image, but no reproducer")
        return unpack(config, packed), case


def _parsed(raw: bytes) -> tuple[Config, np.ndarray, Case | None]:
    try:
        tensors = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise BadInput(f"is no safetensors file ({error})") from None
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
