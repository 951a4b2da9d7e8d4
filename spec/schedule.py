"""The weight schedule: which weight is in which beat of the weight stream.

The order is a pure function of the configuration. Every matrix is read in *passes* of `lanes`
output rows. A pass has one beat per column, with that column's weight of every row of the pass.
Before the first pass, and then whenever the shifts are used up, comes a *header* beat: for each
lane the right shifts of its rows in the next passes, as many as fit into a weight, the first in
the lowest SHIFT_BITS. Rows that pad the last pass are zeros. An embedding row is a matrix of `dim`
rows and one column; so are the biases of a layer, with as many rows as QKV.

If the rows left after the last whole pass need at most half the lanes, their pass is
*column-split* (`folded` in the code): each row is on two lanes, the left half of its columns on
one (together with its shift) and the right half on the other, so the pass takes half the beats.
The drain adds the two sums.
"""

import enum
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from spec.config import Config
from spec.derived import ceil_div, derive


class Op(enum.Enum):
    """The projections, by what they read and write."""

    EMBED = 0
    """Token id -> residual."""
    QKV = 1
    """Normed residual -> queries, keys, values (rows in that order)."""
    WO = 2
    """Attention output -> added to the residual (columns in `attention_order`)."""
    W13 = 3
    """Normed residual -> gate and up, rows interleaved: gate 0, up 0, gate 1, up 1, ..."""
    W2 = 4
    """SwiGLU output -> added to the residual."""
    CLS = 5
    """Normed residual -> logits."""
    BIAS = 6
    """Biases of queries, keys and values (rows as in QKV): one column, multiplied by 1.0 like an
    embedding row. Only if the shape has biases."""


@dataclass(frozen=True)
class Matrix:
    """One weight matrix on the array: whole passes, and then at most one column-split pass."""

    op: Op
    rows: int
    cols: int
    lanes: int
    header_passes: int
    """Passes whose shifts fit into one header."""
    folded_rows: int
    """Rows of the column-split pass, or 0."""

    @property
    def whole_passes(self) -> int:
        """Passes of `lanes` rows and every column."""
        return ceil_div(self.rows - self.folded_rows, self.lanes)

    @property
    def folded_passes(self) -> int:
        """Column-split passes, 1 or 0."""
        return int(self.folded_rows > 0)

    @property
    def shares_header(self) -> bool:
        """Whether the shifts of the column-split pass are in the header of the pass before."""
        return self.folded_rows > 0 and self.whole_passes % self.header_passes != 0

    @property
    def headers(self) -> int:
        """Header beats."""
        return ceil_div(self.whole_passes + self.folded_passes, self.header_passes)

    @property
    def beats(self) -> int:
        """Beats of the weight stream, headers included."""
        columns = self.whole_passes * self.cols + self.folded_passes * (self.cols // 2)
        return self.headers + columns


def matrix(config: Config, op: Op) -> Matrix:
    """The matrix that `op` reads from the weight stream."""
    shape = config.shape
    qkv = shape.q_dim + 2 * shape.kv_dim
    rows, cols = {
        Op.EMBED: (shape.dim, 1),
        Op.BIAS: (qkv, 1),
        Op.QKV: (qkv, shape.dim),
        Op.WO: (shape.dim, shape.q_dim),
        Op.W13: (2 * shape.hidden, shape.dim),
        Op.W2: (shape.dim, shape.hidden),
        Op.CLS: (shape.vocab, shape.dim),
    }[op]
    lanes, rest = config.geometry.lanes, rows % config.geometry.lanes
    # Only the residual has two read ports, and only with two slots can the halves of the array
    # have different operands.
    foldable = derive(config).slots > 1 and op in (Op.QKV, Op.W13, Op.CLS)
    return Matrix(
        op=op,
        rows=rows,
        cols=cols,
        lanes=lanes,
        header_passes=derive(config).header_passes,
        folded_rows=rest if foldable and 2 * rest <= lanes else 0,
    )


def layer_ops(config: Config) -> tuple[Op, ...]:
    """The matrices of one layer, in order."""
    biases = (Op.BIAS,) if config.shape.qkv_bias else ()
    return (*biases, Op.QKV, Op.WO, Op.W13, Op.W2)


def ops(config: Config) -> tuple[Op, ...]:
    """All projections of `config`, in order."""
    return (Op.EMBED, *layer_ops(config), Op.CLS)


@dataclass(frozen=True)
class Image:
    """The layout of the weight image, in beats of `lanes` weights.

    First the embedding row of every token, then the layers, then the classifier. A step reads
    `embedding_beats` at ``token * embedding_beats``, and then one contiguous run from `body`:
    `body_beats`, or `body_beats + classifier_beats` if the next token is to be chosen.
    """

    embedding_beats: int
    body: int
    layer_beats: int
    body_beats: int
    classifier_beats: int

    @property
    def beats(self) -> int:
        """Beats of the whole image."""
        return self.body + self.body_beats + self.classifier_beats


@functools.cache
def image(config: Config) -> Image:
    """The layout of the weight image of `config`."""
    shape = config.shape
    embedding_beats = matrix(config, Op.EMBED).beats
    layer_beats = sum(matrix(config, op).beats for op in layer_ops(config))
    return Image(
        embedding_beats=embedding_beats,
        body=shape.vocab * embedding_beats,
        layer_beats=layer_beats,
        body_beats=shape.layers * layer_beats,
        classifier_beats=matrix(config, Op.CLS).beats,
    )


def _attention_elements(config: Config) -> Iterator[int]:
    shape, derived = config.shape, derive(config)
    for block in range(derived.head_blocks):
        for word in range(derived.v_words):
            for slot in range(derived.slots):
                for element in range(derived.v_word):
                    head = block * derived.slots + slot
                    d = word * derived.v_word + element
                    if head < shape.heads and d < shape.head_dim:
                        yield head * shape.head_dim + d


@functools.cache
def attention_order(config: Config) -> tuple[int, ...]:
    """``order[n]`` is the element (head * head_dim + d) that attention produces n-th.

    The columns of Wo are streamed in this order, so that the output projection can follow the
    value pass element by element without waiting for a permutation.
    """
    return tuple(_attention_elements(config))
