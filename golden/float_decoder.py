"""The float reference: one Llama step in numpy for a batch of sequences.

Order, masking and normalisation follow karpathy/llama2.c, `run.c`. Biases of queries, keys and
values follow Hugging Face Transformers, `models/qwen2/modeling_qwen2.py`.

Sizes in the shape comments: B batch, D dim, H hidden, NH query heads, NK key/value heads,
G = NH / NK, hs head size, QD = NH * hs, V vocabulary, S sequence length, T = position + 1.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from golden.checkpoint import Checkpoint, tensor_shapes
from golden.memory import check_fits
from spec.shape import Shape
from tools.errors import BadInput

Array = NDArray[np.floating[Any]]


def rmsnorm(x: Array, gain: Array, epsilon: float) -> Array:  # (B, D), (D,) -> (B, D)
    """gain * x / sqrt(mean(x^2) + epsilon)."""
    mean: Array = np.mean(x * x, axis=-1, keepdims=True)  # (B, 1)
    root: Array = np.sqrt(mean + epsilon)
    return gain * (x / root)


def rope_tables(shape: Shape) -> tuple[Array, Array]:  # (S, hs/2), (S, hs/2)
    """Cosine and sine of the rotation angle of each position and pair."""
    angles = np.outer(np.arange(shape.seq_len), shape.rope_rates)  # (S, hs/2)
    return np.cos(angles), np.sin(angles)


def rope(x: Array, cos: Array, sin: Array) -> Array:  # (B, N, hs), (hs/2,), (hs/2,) -> (B, N, hs)
    """Rotate the adjacent pairs of every head."""
    a, b = x[..., 0::2], x[..., 1::2]  # (B, N, hs/2)
    out = np.empty_like(x)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out


def softmax(x: Array) -> Array:  # (..., T) -> (..., T)
    """exp(x) / sum over the last axis."""
    powers: Array = x - x.max(axis=-1, keepdims=True)
    np.exp(powers, out=powers)  # in place: fresh memory of this size costs more than the exp
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def silu(x: Array) -> Array:
    """x / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # exp(-x) = inf gives the right -0
        powers: Array = np.exp(-x)
    return x / (1 + powers)


class FloatDecoder:
    """A Llama model over `batch` sequences in lockstep, in `dtype` (float64 or float32).

    Members
    -------
    position : int
        The position of the next token, the same for every sequence; initially 0.
    trace : dict
        The intermediates of the last step. `x_embed` (B, D), `xn_final` (B, D) and `logits` (B, V)
        are arrays. The others are lists with one array per layer: `normed` (B, D), `q` (B, NH, hs)
        and `k` (B, NK, hs) after RoPE, `v` (B, NK, hs), `score` (B, NH, T) over sqrt(hs), `weight`
        (B, NH, T) summing to 1, `attention` (B, QD), `x_att` (B, D) the residual after attention,
        `normed_ffn` (B, D), `gate` (B, H) = W1 xn, `up` (B, H) = W3 xn, `silu` (B, H), `ffn` (B, H)
        = silu * up, `x_ffn` (B, D) the residual after the layer. If the shape has biases,
        `projected` has for each layer `q` (B, QD), `k` and `v` (B, NK * hs) before their addition.

    Raises :class:`BadInput` for a batch below 1, another dtype, or too little memory.
    """

    def __init__(
        self, checkpoint: Checkpoint, batch: int = 1, dtype: DTypeLike = np.float64
    ) -> None:
        if batch < 1:
            raise BadInput(f"decoder batch = {batch} must be positive")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise BadInput(f"decoder dtype = {np.dtype(dtype)} must be float32 or float64")
        self.shape = shape = checkpoint.shape
        self.batch = batch
        # The cache is not counted: the system allocates only pages that are written.
        numbers = sum(math.prod(dims) for dims in tensor_shapes(shape).values())
        tables = 3 * shape.seq_len * shape.head_dim
        check_fits(np.dtype(dtype).itemsize * numbers + 8 * tables, f"the float decoder of {shape}")
        self.weights = {
            name: tensor.astype(dtype, copy=False)
            for name, tensor in checkpoint.weights.items()
            if not (checkpoint.shared and name == "wcls")
        }
        if checkpoint.shared:
            self.weights["wcls"] = self.weights["tok_embeddings"]
        cos, sin = rope_tables(shape)
        self.cos, self.sin = cos.astype(dtype), sin.astype(dtype)
        cache = (shape.layers, batch, shape.kv_heads, shape.seq_len, shape.head_dim)
        self.keys = np.zeros(cache, dtype)  # (L, B, NK, S, hs)
        self.values = np.zeros(cache, dtype)  # (L, B, NK, S, hs)
        self.position = 0
        self.trace: dict[str, Any] = {}

    def reset(self) -> None:
        """Begin new sequences. The cache is kept: every row is written before it is read."""
        self.position = 0

    def step(self, tokens: ArrayLike) -> Array:
        """Append `tokens` (B,) and return the logits (B, V) of the next tokens.

        Raises :class:`BadInput`, leaving the state unchanged, for ids that are not B integers
        below the vocabulary size, and for a position beyond seq_len.
        """
        ids = self._checked(tokens)
        w = self.weights
        x = w["tok_embeddings"][ids]  # (B, D)
        self.trace = {"x_embed": x}
        for layer in range(self.shape.layers):
            x = self._attention(layer, x)
            x = self._feed_forward(layer, x)
        xn = rmsnorm(x, w["rms_final"], self.shape.norm_epsilon)  # (B, D)
        logits: Array = xn @ w["wcls"].T  # (B, V)
        self.trace |= {"xn_final": xn, "logits": logits}
        self.position += 1
        return logits

    def _attention(self, layer: int, x: Array) -> Array:  # (B, D) -> (B, D)
        w, shape, pos = self.weights, self.shape, self.position
        nh, nk, hs = shape.heads, shape.kv_heads, shape.head_dim
        b, g = self.batch, shape.group
        cos, sin = self.cos[pos], self.sin[pos]  # (hs/2,)

        xn = rmsnorm(x, w["rms_att"][layer], shape.norm_epsilon)  # (B, D)
        q, k, v = (xn @ w[name][layer].T for name in ("wq", "wk", "wv"))  # (B, QD or kvd)
        if shape.qkv_bias:
            self._note(projected={"q": q, "k": k, "v": v})
            q, k, v = q + w["bq"][layer], k + w["bk"][layer], v + w["bv"][layer]
        q = rope(q.reshape(b, nh, hs), cos, sin)  # (B, NH, hs)
        k = rope(k.reshape(b, nk, hs), cos, sin)  # (B, NK, hs)
        v = v.reshape(b, nk, hs)  # (B, NK, hs)
        self.keys[layer, :, :, pos] = k
        self.values[layer, :, :, pos] = v

        past_k = self.keys[layer, :, :, : pos + 1]  # (B, NK, T, hs)
        past_v = self.values[layer, :, :, : pos + 1]  # (B, NK, T, hs)
        scaled = (q / math.sqrt(hs)).reshape(b, nk, g, hs)  # (B, NK, G, hs)
        score = scaled @ past_k.swapaxes(-1, -2)  # (B, NK, G, T)
        weight = softmax(score)  # (B, NK, G, T)
        out = (weight @ past_v).reshape(b, shape.q_dim)  # (B, QD)
        x = x + out @ w["wo"][layer].T  # (B, D)
        self._note(
            normed=xn,
            q=q,
            k=k,
            v=v,
            score=score.reshape(b, nh, pos + 1),
            weight=weight.reshape(b, nh, pos + 1),
            attention=out,
            x_att=x,
        )
        return x

    def _feed_forward(self, layer: int, x: Array) -> Array:  # (B, D) -> (B, D)
        w = self.weights
        xn = rmsnorm(x, w["rms_ffn"][layer], self.shape.norm_epsilon)  # (B, D)
        gate = xn @ w["w1"][layer].T  # (B, H)
        up = xn @ w["w3"][layer].T  # (B, H)
        activated = silu(gate)  # (B, H)
        ffn = activated * up  # (B, H)
        x = x + ffn @ w["w2"][layer].T  # (B, D)
        self._note(normed_ffn=xn, gate=gate, up=up, silu=activated, ffn=ffn, x_ffn=x)
        return x

    def _note(self, **arrays: Any) -> None:
        for name, array in arrays.items():
            self.trace.setdefault(name, []).append(array)

    def _checked(self, tokens: ArrayLike) -> NDArray[np.integer[Any]]:
        ids = np.asarray(tokens)
        if ids.shape != (self.batch,) or ids.dtype.kind not in "iu":
            raise BadInput(f"tokens are {ids.dtype} {ids.shape}, not integers ({self.batch},)")
        outside = (ids < 0) | (ids >= self.shape.vocab)
        if outside.any():
            row = int(outside.argmax())
            raise BadInput(f"tokens[{row}] = {ids[row]} is outside 0 to {self.shape.vocab - 1}")
        if self.position >= self.shape.seq_len:
            raise BadInput(f"position {self.position} is beyond seq_len = {self.shape.seq_len}")
        return ids
