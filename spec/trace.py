"""The tensors of the passive trace output, by name and number.

A trace record is (tensor, layer, index, value). The golden trace has the same names as keys.
"""

import enum

from spec.config import Config, sum_format
from spec.derived import TABLE_FRACTION, ceil_pow2
from spec.fixed import SQ
from spec.layer_plan import Attend, Work
from spec.schedule import Op


class Tensor(enum.Enum):
    """Every traced intermediate of one step, in order."""

    X_EMBED = 0
    """Residual after the embedding, [dim]; layer 0."""
    RSQRT_ATT = 1
    """Factor of the norm before attention: [mantissa, exponent]."""
    BIAS = 26
    """Biases, added after the factor of QKV, [q_dim + 2 * kv_dim]; only if the shape has them."""
    QKV_SUM = 2
    """Projections of the residual before the factor of the norm, [q_dim + 2 * kv_dim]."""
    QKV = 3
    """Projections before RoPE, [q_dim + 2 * kv_dim]."""
    Q = 4
    """Queries after RoPE, [q_dim]."""
    K = 5
    """Keys after RoPE, [kv_dim]."""
    V = 6
    """Values, [kv_dim]."""
    SCORE = 7
    """[heads, pos + 1], index head * ceil_pow2(seq_len) + t."""
    MAXIMUM = 8
    """Maximum of the scores, [heads]."""
    WEIGHT = 9
    """exp2(score - maximum), [heads, pos + 1], index as for scores."""
    RECIPROCAL = 10
    """Reciprocal of the sum of weights, [heads, 2]: mantissa, exponent."""
    ATTENTION_SUM = 11
    """Weighted sum of values before the reciprocal, [q_dim] in `attention_order`."""
    ATTENTION = 12
    """Attention output, [q_dim] in `attention_order`."""
    WO = 13
    """Output projection, [dim]."""
    X_ATT = 14
    """Residual after attention, [dim]."""
    RSQRT_FFN = 15
    W13_SUM = 16
    """Gate and up interleaved, before the factor of the norm, [2 * hidden]."""
    W13 = 17
    """Gate and up interleaved, [2 * hidden]."""
    SIGMOID = 18
    """sigmoid(gate), [hidden]."""
    SILU = 19
    """gate * sigmoid(gate), [hidden]."""
    FFN = 20
    """silu * up, [hidden]."""
    W2 = 21
    """Down projection, [dim]."""
    X_FFN = 22
    """Residual after the layer, [dim]."""
    RSQRT_FINAL = 23
    LOGITS_SUM = 24
    """Before the factor of the norm, [vocab]."""
    LOGITS = 25
    """[vocab]; layer 0, like the other final tensors."""


#: Tensors that exist once a token (as layer 0), not once a layer.
ONCE = (Tensor.X_EMBED, Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM, Tensor.LOGITS)


def sizes(config: Config) -> dict[Tensor, int]:
    """Number of indices of each tensor of `config` (scores and weights at full context)."""
    shape = config.shape
    attention = shape.heads * ceil_pow2(shape.seq_len)
    per_dim = {
        Tensor.X_EMBED, Tensor.WO, Tensor.X_ATT, Tensor.W2, Tensor.X_FFN,
    }  # fmt: skip
    per_q_dim = {Tensor.Q, Tensor.ATTENTION_SUM, Tensor.ATTENTION}
    qkv = shape.q_dim + 2 * shape.kv_dim
    return (
        dict.fromkeys(per_dim, shape.dim)
        | dict.fromkeys(per_q_dim, shape.q_dim)
        | {
            Tensor.RSQRT_ATT: 2,
            Tensor.RSQRT_FFN: 2,
            Tensor.RSQRT_FINAL: 2,
            Tensor.QKV_SUM: qkv,
            Tensor.QKV: qkv,
            Tensor.K: shape.kv_dim,
            Tensor.V: shape.kv_dim,
            Tensor.SCORE: attention,
            Tensor.WEIGHT: attention,
            Tensor.MAXIMUM: shape.heads,
            Tensor.RECIPROCAL: 2 * shape.heads,
            Tensor.W13_SUM: 2 * shape.hidden,
            Tensor.W13: 2 * shape.hidden,
            Tensor.SIGMOID: shape.hidden,
            Tensor.SILU: shape.hidden,
            Tensor.FFN: shape.hidden,
            Tensor.LOGITS_SUM: shape.vocab,
            Tensor.LOGITS: shape.vocab,
        }
        | ({Tensor.BIAS: qkv} if shape.qkv_bias else {})
    )


#: The tensors of each stage, in order.
STAGES: dict[Work, tuple[Tensor, ...]] = {
    Op.EMBED: (Tensor.X_EMBED,),
    Op.QKV: (
        Tensor.RSQRT_ATT, Tensor.QKV_SUM, Tensor.QKV, Tensor.Q, Tensor.K, Tensor.V,
    ),
    Attend.SCORES: (Tensor.SCORE, Tensor.MAXIMUM, Tensor.WEIGHT),
    Attend.VALUES: (Tensor.RECIPROCAL, Tensor.ATTENTION_SUM, Tensor.ATTENTION),
    Op.WO: (Tensor.WO, Tensor.X_ATT),
    Op.W13: (
        Tensor.RSQRT_FFN, Tensor.W13_SUM, Tensor.W13, Tensor.SIGMOID, Tensor.SILU, Tensor.FFN,
    ),
    Op.W2: (Tensor.W2, Tensor.X_FFN),
    Op.CLS: (Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM, Tensor.LOGITS),
    Op.BIAS: (Tensor.BIAS,),
}  # fmt: skip


def stage_of(tensor: Tensor) -> Work:
    """The stage that computes a tensor."""
    return next(work for work, tensors in STAGES.items() if tensor in tensors)


def format_of(config: Config, tensor: Tensor, element: int) -> SQ | None:
    """The format of an element; None for a whole number, the exponent beside a mantissa."""
    shape, n = config.shape, config.numerics
    factor = SQ(2, TABLE_FRACTION)
    match tensor:
        case Tensor.RSQRT_ATT | Tensor.RSQRT_FFN | Tensor.RSQRT_FINAL | Tensor.RECIPROCAL:
            return None if element % 2 else factor
        case Tensor.BIAS | Tensor.QKV | Tensor.QKV_SUM:
            values = shape.q_dim + shape.kv_dim
            form = n.q if element < shape.q_dim else n.k if element < values else n.v
        case Tensor.W13 | Tensor.W13_SUM:
            form = n.up if element % 2 else n.gate
        case Tensor.ATTENTION | Tensor.ATTENTION_SUM:
            form = n.attention
        case Tensor.LOGITS | Tensor.LOGITS_SUM:
            form = n.logits
        case Tensor.SCORE | Tensor.MAXIMUM:
            form = n.score
        case Tensor.SIGMOID:
            form = factor
        case Tensor.Q | Tensor.K | Tensor.V | Tensor.WEIGHT | Tensor.SILU | Tensor.FFN:
            form = getattr(n, tensor.name.lower())
        case _:
            form = n.residual
    return sum_format(form) if tensor.name.endswith("_SUM") else form
