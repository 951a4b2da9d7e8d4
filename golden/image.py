"""The weight image: quantised weights laid out in schedule order, and its file."""

import numpy as np

from design.config import Config
from design.derived import ceil_div
from design.schedule import LAYER_OPS, Op, attention_order, image
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
    packed = np.concatenate(parts).astype(np.int8 if config.numerics.weight_bits == 8 else np.int16)
    assert packed.shape == (image(config).beats, lanes)
    return packed


def image_bytes(config: Config) -> int:
    """Size of the packed image in bytes."""
    return image(config).beats * config.geometry.lanes * config.numerics.weight_bits // 8
