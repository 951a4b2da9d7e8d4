"""What the passive trace output can show: the tensors, by name and number.

One record is (tensor, layer, index, value). The same names are the keys of the golden trace.
"""

import enum

from design.config import Config
from design.derived import ceil_pow2


class Tensor(enum.Enum):
    """Every traced intermediate of one step."""

    X_EMBED = 0
    """Residual after the embedding, [dim]; layer 0."""
    RSQRT_ATT = 1
    """Factor of the norm before attention: [mantissa, exponent]."""
    XN_ATT = 2
    """Normed residual before attention, [dim]."""
    QKV = 3
    """Projections before RoPE, [dim + 2 * kv_dim]."""
    Q = 4
    """Queries after RoPE, [dim]."""
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
    UNSCALED = 11
    """Weighted sum of values before the reciprocal, [dim] in `attention_order`."""
    ATTENTION = 12
    """Attention output, [dim] in `attention_order`."""
    WO = 13
    """Output projection, [dim]."""
    X_ATT = 14
    """Residual after attention, [dim]."""
    RSQRT_FFN = 15
    XN_FFN = 16
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
    XN_FINAL = 24
    LOGITS = 25
    """[vocab]; layer 0 (as the other FINAL tensors)."""


#: Tensors that exist once a token (layer 0), not once a layer.
ONCE = (Tensor.X_EMBED, Tensor.RSQRT_FINAL, Tensor.XN_FINAL, Tensor.LOGITS)


def sizes(config: Config) -> dict[Tensor, int]:
    """Room for the indices of each tensor (scores and weights at full context)."""
    shape = config.shape
    attention = shape.heads * ceil_pow2(shape.seq_len)
    per_dim = {
        Tensor.X_EMBED, Tensor.XN_ATT, Tensor.Q, Tensor.UNSCALED, Tensor.ATTENTION, Tensor.WO,
        Tensor.X_ATT, Tensor.XN_FFN, Tensor.W2, Tensor.X_FFN, Tensor.XN_FINAL,
    }  # fmt: skip
    return dict.fromkeys(per_dim, shape.dim) | {
        Tensor.RSQRT_ATT: 2,
        Tensor.RSQRT_FFN: 2,
        Tensor.RSQRT_FINAL: 2,
        Tensor.QKV: shape.dim + 2 * shape.kv_dim,
        Tensor.K: shape.kv_dim,
        Tensor.V: shape.kv_dim,
        Tensor.SCORE: attention,
        Tensor.WEIGHT: attention,
        Tensor.MAXIMUM: shape.heads,
        Tensor.RECIPROCAL: 2 * shape.heads,
        Tensor.W13: 2 * shape.hidden,
        Tensor.SIGMOID: shape.hidden,
        Tensor.SILU: shape.hidden,
        Tensor.FFN: shape.hidden,
        Tensor.LOGITS: shape.vocab,
    }
