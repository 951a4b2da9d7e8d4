"""Llama and Qwen2 as Hugging Face Transformers computes them, restated in plain numpy.

Sources: `models/llama/modeling_llama.py` (LlamaRMSNorm, rotate_half, apply_rotary_pos_emb,
repeat_kv, LlamaMLP), `models/qwen2/modeling_qwen2.py` (Qwen2Attention: biases of q, k, v) and
`modeling_rope_utils.py` (_compute_default_rope_parameters, _compute_llama3_parameters). Works on
whole sequences with a causal mask, and on half-split heads, as these do: shares neither code nor
the order of work with `golden`.
"""

import math

import numpy as np

from golden.checkpoint import Checkpoint
from spec.shape import Shape


def inv_freq(shape: Shape) -> np.ndarray:  # (hs / 2,)
    frequencies = 1.0 / shape.rope_base ** (np.arange(0, shape.head_dim, 2) / shape.head_dim)
    scaling = shape.rope_scaling
    if scaling is None:
        return frequencies
    low_wavelen = scaling.original_seq_len / scaling.low_freq_factor
    high_wavelen = scaling.original_seq_len / scaling.high_freq_factor
    wavelen = 2 * math.pi / frequencies
    llama = np.where(wavelen > low_wavelen, frequencies / scaling.factor, frequencies)
    smooth = (scaling.original_seq_len / wavelen - scaling.low_freq_factor) / (
        scaling.high_freq_factor - scaling.low_freq_factor
    )
    smoothed = (1 - smooth) * llama / scaling.factor + smooth * llama
    medium = ~(wavelen < high_wavelen) & ~(wavelen > low_wavelen)
    return np.where(medium, smoothed, llama)


def half_split(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of q or k, first axis, from adjacent pairs (2j, 2j + 1) to (j, j + hs / 2)."""
    heads = rows.reshape(-1, head_dim // 2, 2, *rows.shape[1:])
    return heads.swapaxes(1, 2).reshape(rows.shape)


def rotate_half(x: np.ndarray) -> np.ndarray:
    left, right = np.split(x, 2, axis=-1)
    return np.concatenate([-right, left], axis=-1)


def rms_norm(x: np.ndarray, gain: np.ndarray, epsilon: float) -> np.ndarray:
    variance = (x**2).mean(-1, keepdims=True)
    return gain * (x * (1 / np.sqrt(variance + epsilon)))


def logits(checkpoint: Checkpoint, tokens: list[int]) -> np.ndarray:  # (T, V)
    """The logits after each of `tokens`, in float64."""
    shape, hs = checkpoint.shape, checkpoint.shape.head_dim
    w = {name: tensor.astype(np.float64) for name, tensor in checkpoint.weights.items()}
    length = len(tokens)
    angles = np.arange(length)[:, None] * inv_freq(shape)
    embedded = np.concatenate([angles, angles], axis=-1)
    cos, sin = np.cos(embedded), np.sin(embedded)
    mask = np.where(np.tri(length, dtype=bool), 0.0, -np.inf)
    x = w["tok_embeddings"][tokens]
    for n in range(shape.layers):
        normed = rms_norm(x, w["rms_att"][n], shape.norm_epsilon)

        def project(name: str, turned: bool, normed=normed, n=n) -> np.ndarray:
            """(heads, T, hs)"""
            weight = w["w" + name][n]
            bias = w["b" + name][n] if shape.qkv_bias else np.zeros(len(weight))
            if turned:
                weight, bias = half_split(weight, hs), half_split(bias, hs)
            return (normed @ weight.T + bias).reshape(length, -1, hs).swapaxes(0, 1)

        q, k, v = project("q", True), project("k", True), project("v", False)
        q, k = (x * cos + rotate_half(x) * sin for x in (q, k))
        k, v = (np.repeat(x, shape.heads // shape.kv_heads, axis=0) for x in (k, v))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(hs) + mask
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        attention = powers / powers.sum(-1, keepdims=True) @ v
        x = x + attention.swapaxes(0, 1).reshape(length, -1) @ w["wo"][n].T
        normed = rms_norm(x, w["rms_ffn"][n], shape.norm_epsilon)
        gate, up = normed @ w["w1"][n].T, normed @ w["w3"][n].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w["w2"][n].T
    return rms_norm(x, w["rms_final"], shape.norm_epsilon) @ w["wcls"].T
