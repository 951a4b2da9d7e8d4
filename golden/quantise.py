"""Float checkpoint -> integer weights with a right shift per output row.

Two factors are folded into the weights, so that the hardware need not multiply by them: the gain
of each RMSNorm into the columns of the next matrix, and log2(e)/sqrt(head_dim) into the rows of Wq
and its bias (scores are then in units of log2(e), and exp becomes exp2).
"""

import math
from dataclasses import dataclass

import numpy as np

from golden.checkpoint import Checkpoint
from spec.config import Config
from spec.derived import MAX_SHIFT, derive
from spec.fixed import SQ
from spec.schedule import Op, layer_ops, matrix
from tools.errors import BadInput

#: Weights that are quantised at a time, which bounds the temporary memory.
BLOCK = 1 << 20


@dataclass(frozen=True)
class Rows:
    """Integer rows: ``real = weights * 2**-(shift - lead + out.f - in.f)``, one shift a row.

    `weights` is an integer array (rows, cols); `shift` is int64 (rows,). In the embedding every
    element is a row of one column, so both are (vocab, dim). `lead` is the pre-shift.
    """

    weights: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Model:
    """A quantised checkpoint: `Rows` per layer and projection, columns in natural order."""

    config: Config
    embedding: Rows
    layers: tuple[dict[Op, Rows], ...]
    classifier: Rows


def quantise_rows(real: np.ndarray, bits: int, gain: np.ndarray) -> Rows:
    """Quantise (rows, cols) so that a right shift brings the sum of each row to its format.

    `gain` is, for each row, the fraction bits of the activations minus those of the format, plus
    the pre-shift `Derived.lead`. Each row is scaled by the largest power of two with which its
    largest weight still fits. The right shift of the hardware is between 0 and MAX_SHIFT; a row too
    large for shift 0 saturates.
    """
    weights = np.empty(real.shape, np.int8 if bits == 8 else np.int16)
    shift = np.empty(len(real), np.int64)
    limit = (1 << (bits - 1)) - 1
    count = max(1, BLOCK // real.shape[1])
    for start in range(0, len(real), count):
        rows = slice(start, start + count)
        block = real[rows].astype(np.float64)
        largest = np.abs(block).max(axis=1)
        with np.errstate(divide="ignore", over="ignore"):  # inf for rows of zeros, or nearly
            fraction = np.floor(np.log2((limit + 0.5) / largest))
        shift[rows] = np.clip(fraction + gain[rows], 0, MAX_SHIFT)
        block *= np.exp2(shift[rows] - gain[rows])[:, None]
        weights[rows] = np.clip(np.rint(block, out=block), -limit - 1, limit, out=block)
    return Rows(weights, shift)


def row_formats(config: Config, op: Op) -> list[SQ]:
    """The format of each output row of `op`."""
    shape, n = config.shape, config.numerics
    qkv = [n.q] * shape.q_dim + [n.k] * shape.kv_dim + [n.v] * shape.kv_dim
    return {
        Op.EMBED: [n.residual] * shape.dim,
        Op.BIAS: qkv,
        Op.QKV: qkv,
        Op.WO: [n.residual] * shape.dim,
        Op.W13: [n.gate, n.up] * shape.hidden,
        Op.W2: [n.residual] * shape.dim,
        Op.CLS: [n.logits] * shape.vocab,
    }[op]


def column_fraction(config: Config, op: Op) -> int:
    """Fraction bits of the activations that `op` multiplies.

    After a norm: the fraction bits of the residual divided by the least power of two of its rms.
    The hardware adds the excess of the actual power to the shift of every row.
    """
    n, derived = config.numerics, derive(config)
    return {
        Op.EMBED: derived.one_format.f,
        Op.BIAS: derived.one_format.f,
        Op.QKV: derived.normed_fraction,
        Op.WO: n.attention.f,
        Op.W13: derived.normed_fraction,
        Op.W2: n.ffn.f,
        Op.CLS: derived.normed_fraction,
    }[op]


def layer_fractions(config: Config, op: Op, layer: int) -> tuple[int, np.ndarray | int]:
    """Additional fraction bits, in this layer, of the activations of `op` and of its rows."""
    shape, n = config.shape, config.numerics
    v_gain = n.v_gains[layer] if n.v_gains else 0
    up_gain = n.up_gains[layer] if n.up_gains else 0
    if op in (Op.QKV, Op.BIAS):
        return 0, np.repeat([0, v_gain], [shape.q_dim + shape.kv_dim, shape.kv_dim])
    if op is Op.W13:
        return 0, np.tile([0, up_gain], shape.hidden)
    return {Op.WO: v_gain, Op.W2: up_gain}.get(op, 0), 0


def real_rows(checkpoint: Checkpoint, op: Op, layer: int) -> np.ndarray:
    """The matrix of `op` in float64 (rows, cols), with norm gains and score scale folded in."""
    weights, shape = checkpoint.weights, checkpoint.shape

    def of_layer(name: str) -> np.ndarray:
        return weights[name][layer].astype(np.float64)

    score_scale = math.log2(math.e) / math.sqrt(shape.head_dim)
    if op is Op.BIAS:
        biases = [of_layer("bq") * score_scale, of_layer("bk"), of_layer("bv")]
        return np.concatenate(biases)[:, None]
    if op is Op.QKV:
        stacked = np.concatenate([of_layer("wq") * score_scale, of_layer("wk"), of_layer("wv")])
        return stacked * of_layer("rms_att")
    if op is Op.WO:
        return of_layer("wo")
    if op is Op.W13:
        both = np.stack([of_layer("w1"), of_layer("w3")], axis=1)  # (H, 2, D)
        return both.reshape(-1, shape.dim) * of_layer("rms_ffn")
    if op is Op.W2:
        return of_layer("w2")
    assert op is Op.CLS
    return weights["wcls"].astype(np.float64) * weights["rms_final"].astype(np.float64)


def quantise(checkpoint: Checkpoint, config: Config) -> Model:
    """Quantise every weight of `checkpoint` to the numerics of `config`.

    Raises :class:`BadInput` when the shapes differ.
    """
    if checkpoint.shape != config.shape:
        raise BadInput(
            f"checkpoint shape {checkpoint.shape} is not that of"
            f" configuration {config.name!r}, {config.shape}"
        )

    bits = config.numerics.weight_bits

    def gain(op: Op, layer: int = 0) -> np.ndarray:
        target = np.array([form.f for form in row_formats(config, op)])
        columns, rows = layer_fractions(config, op, layer)
        return column_fraction(config, op) + columns + derive(config).lead - target - rows

    def rows(op: Op, layer: int = 0) -> Rows:
        real = real_rows(checkpoint, op, layer)
        spec = matrix(config, op)
        assert real.shape == (spec.rows, spec.cols), (op, real.shape)
        return quantise_rows(real, bits, gain(op, layer))

    table = checkpoint.weights["tok_embeddings"]  # (V, D)
    embedding = Rows(np.empty(table.shape, np.int16), np.empty(table.shape, np.int8))
    for start in range(0, len(table), count := max(1, BLOCK // config.shape.dim)):
        tokens = slice(start, start + count)
        block = np.asarray(table[tokens])
        elements = quantise_rows(block.reshape(-1, 1), bits, np.tile(gain(Op.EMBED), len(block)))
        embedding.weights[tokens] = elements.weights.reshape(block.shape)
        embedding.shift[tokens] = elements.shift.reshape(block.shape)
    return Model(
        config=config,
        embedding=embedding,
        layers=tuple(
            {op: rows(op, layer) for op in layer_ops(config)}
            for layer in range(config.shape.layers)
        ),
        classifier=rows(Op.CLS),
    )
