"""The work of a token: the products of the model, counted from its shape alone.

What the `macs` counter of the RTL must show, and so what utilisation is measured against.
"""

from spec.config import Shape


def products(shape: Shape, position: int, *, classified: bool) -> int:
    """Weight and attention multiply-accumulates of the token at `position` (from 0).

    Each weight of the layers is multiplied once, and each of the classifier if it runs. Attention
    multiplies a query with the keys of all positions so far, and their values with its weights.
    Copying an embedding row is no product, nor are the factors of norms, softmax and SwiGLU.
    """
    qkv = (shape.q_dim + 2 * shape.kv_dim) * shape.dim
    wo = shape.dim * shape.q_dim
    ffn = 3 * shape.dim * shape.hidden
    attention = 2 * shape.q_dim * (position + 1)
    classifier = shape.vocab * shape.dim if classified else 0
    return shape.layers * (qkv + wo + ffn + attention) + classifier
