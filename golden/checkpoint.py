"""A model: its shape and its weights, independent of the file format."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from golden.memory import check_fits
from golden.tensors import Floats, LazyTensor, Tensor, check_finite
from spec.shape import Shape
from tools.errors import BadInput

NORMS = ("rms_att", "rms_ffn", "rms_final")
MATRICES = ("wq", "wk", "wv", "wo", "w1", "w2", "w3")
BIASES = ("bq", "bk", "bv")


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every weight tensor; matrices are (layer, out, in).

    Biases (`BIASES`) only if the shape has `qkv_bias`.
    """
    d, h, q, kv, n = shape.dim, shape.hidden, shape.q_dim, shape.kv_dim, shape.layers
    biases = {"bq": (n, q), "bk": (n, kv), "bv": (n, kv)}
    return {
        "tok_embeddings": (shape.vocab, d),
        "rms_att": (n, d),
        "wq": (n, q, d),
        "wk": (n, kv, d),
        "wv": (n, kv, d),
        "wo": (n, d, q),
        "rms_ffn": (n, d),
        "w1": (n, h, d),
        "w2": (n, d, h),
        "w3": (n, h, d),
        "rms_final": (d,),
        "wcls": (shape.vocab, d),
    } | (biases if shape.qkv_bias else {})


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A model: its shape and its float32 weights, with the keys and shapes of `tensor_shapes`.

    If `shared`, `wcls` is the same object as `tok_embeddings`. Lazy tensors are read, and checked,
    when they are used. Raises :class:`BadInput` for a tensor that is missing, misshapen, not
    float32, or holds NaN or infinity.
    """

    shape: Shape
    weights: Mapping[str, Tensor]
    shared: bool

    def __post_init__(self) -> None:
        expected = tensor_shapes(self.shape)
        if self.weights.keys() != expected.keys():
            names = sorted(self.weights.keys() ^ expected.keys())
            raise BadInput(f"Checkpoint.weights has missing or unknown names: {', '.join(names)}")
        for name, tensor in self.weights.items():
            if tensor.shape != expected[name] or tensor.dtype != np.float32:
                raise BadInput(
                    f"tensor {name} is {tensor.dtype} {tensor.shape}, not float32 {expected[name]}"
                )
            if not isinstance(tensor, LazyTensor):
                check_finite(f"tensor {name}", tensor)
        if self.shared and self.weights["wcls"] is not self.weights["tok_embeddings"]:
            raise BadInput("tensor wcls is not tok_embeddings, though shared = True")

    def in_memory(self) -> "Checkpoint":
        """The same model with every weight read and checked."""
        weights: dict[str, Tensor] = {}
        for name, tensor in self.weights.items():
            shared = self.shared and name == "wcls"
            weights[name] = weights["tok_embeddings"] if shared else np.asarray(tensor)
        return dataclasses.replace(self, weights=weights)


def random_checkpoint(
    shape: Shape, seed: int, *, scale: float = 1.0, shared: bool = True
) -> Checkpoint:
    """A model of random weights with realistic ranges.

    Matrices and the embedding are normal with standard deviation `scale` / sqrt(fan in), so that
    activations stay near 1 for `scale` 1; norm gains are normal around 1 with deviation 0.1, biases
    around 0 with deviation `scale`. Raises :class:`BadInput` if the memory is too small.
    """
    numbers = sum(math.prod(dims) for dims in tensor_shapes(shape).values())
    check_fits(4 * numbers, f"a model of {shape}")
    random = np.random.default_rng(seed)
    weights: dict[str, Floats] = {}
    for name, dims in tensor_shapes(shape).items():
        if name == "wcls" and shared:
            weights[name] = weights["tok_embeddings"]
            continue
        normal = random.standard_normal(dims, np.float32)
        if name in NORMS:
            weights[name] = 1 + np.float32(0.1) * normal
        elif name in BIASES:
            weights[name] = normal * np.float32(scale)
        else:
            weights[name] = normal * np.float32(scale / math.sqrt(dims[-1]))
    return Checkpoint(shape=shape, weights=weights, shared=shared)
