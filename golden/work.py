"""The number of products of a token, computed from the shape of the model.

The `macs` counter of the RTL must equal it, and utilisation is measured against it.
"""

from spec.config import Shape


def products(shape: Shape, position: int, *, classified: bool) -> int:
    """Weight and attention multiply-accumulates of the token at `position` (from 0).

    Each weight of the layers is multiplied once, and each of the classifier if it runs. Attention
    multiplies queries with the keys of all positions so far, and weights with their values. The
    copy of an embedding row and the factors of norms, softmax and SwiGLU are not counted.
    """
    qkv = (shape.q_dim + 2 * shape.kv_dim) * shape.dim
    wo = shape.dim * shape.q_dim
    ffn = 3 * shape.dim * shape.hidden
    attention = 2 * shape.q_dim * (position + 1)
    classifier = shape.vocab * shape.dim if classified else 0
    return shape.layers * (qkv + wo + ffn + attention) + classifier
