"""One cycle's work for the multiplier array, as the stages ask for it."""

from typing import Any

from amaranth import *
from amaranth.lib import data, enum

from spec.config import Config
from spec.derived import ceil_div, derive
from spec.schedule import Op, matrix, ops


class Kind(enum.Enum, shape=2):
    """What the lanes do with the beat."""

    HEADER = 0
    """Take a weight beat as the rows' right shifts."""
    WEIGHT = 1
    """Multiply a weight beat by one broadcast activation."""
    KEY = 2
    """Multiply a key word by an element of each slot's query."""
    VALUE = 3
    """Multiply a value word by each slot's softmax weight."""


class Sink(enum.Enum, shape=3):
    """Where the sums of a pass go. The first six are the projections of `schedule.Op`."""

    EMBED = Op.EMBED.value  # the residual, or, where a `bias` says so, the biases
    QKV = Op.QKV.value
    WO = Op.WO.value
    W13 = Op.W13.value
    W2 = Op.W2.value
    CLS = Op.CLS.value
    SCORE = 6
    VALUE = 7


def to_sink(op: Op) -> Sink:
    """The sink of a projection; that of biases is the embedding's."""
    return Sink(Op.EMBED.value if op is Op.BIAS else op.value)


def is_op(op: Op, element: Any) -> Value:
    """Whether an `element` with `sink` and `bias`, such as a beat, is of the projection `op`."""
    of_sink = element.sink == to_sink(op)
    if "bias" not in element.shape().members or op not in (Op.EMBED, Op.BIAS):
        return of_sink
    return of_sink & (element.bias if op is Op.BIAS else ~element.bias)


def bias_field(config: Config) -> dict[str, int]:
    """The field that marks biases among what has the sink EMBED, where the shape has any."""
    return {"bias": 1} if config.shape.qkv_bias else {}


def beat_layout(config: Config) -> data.StructLayout:
    """Payload of the stages' output streams.

    `first`, `last`: first and last product of a sum. `column`: which activation (WEIGHT).
    `t`, `d`: cache position and element (KEY, VALUE); for other kinds, zero.
    `newest`: the word holds the row that this token writes. `shift_index`: which of the
    shifts of its header the pass takes.
    `row`: output row of lane 0 (projections). `count`: lanes (projections) or positions of
    each slot (scores) that hold results. `folded`: a row lies on two lanes, see `schedule`.
    `block`: which heads are in the slots. `bias` (where the shape has any): of
    biases, whose sink is EMBED.
    `macs`: useful multiply-accumulates of this beat. `layer`: filled in by the decoder.
    """
    shape, derived = config.shape, derive(config)
    rows = max(matrix(config, op).rows for op in ops(config))
    return data.StructLayout(
        {
            "kind": Kind,
            "sink": Sink,
            "first": 1,
            "last": 1,
            "newest": 1,
            "folded": 1,
            **bias_field(config),
            "shift_index": range(derived.header_passes),
            "column": range(max(shape.dim, shape.q_dim, shape.hidden)),
            "t": range(shape.seq_len),
            "d": range(shape.head_dim),
            "row": range(ceil_div(rows, config.geometry.lanes) * config.geometry.lanes),
            "count": range(config.geometry.lanes + 1),
            "block": range(derived.head_blocks),
            "layer": range(max(shape.layers, 2)),
            "macs": range(config.geometry.lanes + 1),
        }
    )
