"""The network in JAX for training, equal to Hugging Face's `LlamaForCausalLM`."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

#: Weights by the names of a Hugging Face folder, without ``model.`` and ``.weight``; those of the
#: layers are stacked: (layer, out, in).
Weights = dict[str, jax.Array]

#: With this base, two of the four pairs of a head rotate so little within a text that they compare
#: only content.
THETA = 100000.0
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The shape of a network with tied embedding."""

    dim: int = 64
    hidden: int = 172
    layers: int = 5
    heads: int = 8
    kv_heads: int = 4
    vocab: int = 512
    context: int = 512

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


def initial(sizes: Sizes, seed: int) -> Weights:
    """Normal weights of deviation 1 / sqrt(fan in), less for those that add to the residual."""
    d, h, n = sizes.dim, sizes.hidden, sizes.layers
    kv = sizes.kv_heads * sizes.head_dim
    shapes = {
        "self_attn.q_proj": (d, d),
        "self_attn.k_proj": (kv, d),
        "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d),
        "mlp.gate_proj": (h, d),
        "mlp.up_proj": (h, d),
        "mlp.down_proj": (d, h),
    }
    keys = iter(jax.random.split(jax.random.key(seed), len(shapes) + 1))
    weights = {
        "embed_tokens": 0.1 * jax.random.normal(next(keys), (sizes.vocab, d)),
        "norm": jnp.ones(d),
        "input_layernorm": jnp.ones((n, d)),
        "post_attention_layernorm": jnp.ones((n, d)),
    }
    for name, shape in shapes.items():
        scale = 1 / math.sqrt(shape[1])
        if name.endswith(("o_proj", "down_proj")):
            scale /= math.sqrt(2 * n)
        weights[name] = scale * jax.random.normal(next(keys), (n, *shape))
    return weights


def logits(weights: Weights, tokens: jax.Array, sizes: Sizes) -> jax.Array:
    """(B, T) ids -> (B, T, V)."""
    batch, length = tokens.shape
    cos, sin = _rotations(length, sizes.head_dim)
    x = weights["embed_tokens"][tokens]  # (B, T, D)
    for layer in range(sizes.layers):
        w = {name: value[layer] for name, value in weights.items() if value.ndim > 1}
        y = _norm(x, w["input_layernorm"])
        q, k, v = (
            (y @ w[f"self_attn.{name}_proj"].T).reshape(batch, length, -1, sizes.head_dim)
            for name in "qkv"
        )
        y = attention(_rotate(q, cos, sin), _rotate(k, cos, sin), v)
        x = x + y.reshape(batch, length, -1) @ w["self_attn.o_proj"].T
        y = _norm(x, w["post_attention_layernorm"])
        y = jax.nn.silu(y @ w["mlp.gate_proj"].T) * (y @ w["mlp.up_proj"].T)
        x = x + y @ w["mlp.down_proj"].T
    return _norm(x, weights["norm"]) @ weights["embed_tokens"].T


def losses(weights: Weights, rows: jax.Array, sizes: Sizes) -> jax.Array:
    """Cross-entropy of each next token in nats: (B, T + 1) ids -> (B, T)."""
    scores = jax.nn.log_softmax(logits(weights, rows[:, :-1], sizes))
    return -jnp.take_along_axis(scores, rows[:, 1:, None], axis=-1)[..., 0]


def _norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    return gain * x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON)


def _rotations(length: int, head_dim: int) -> tuple[jax.Array, jax.Array]:  # (T, 1, hs/2) each
    rates = THETA ** (-jnp.arange(0, head_dim, 2) / head_dim)
    angles = jnp.outer(jnp.arange(length), rates)[:, None]
    return jnp.cos(angles), jnp.sin(angles)


def _rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:  # (B, T, heads, hs)
    a, b = jnp.split(x, 2, -1)  # elements j and j + hs/2 are a pair
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


#: Queries that are processed together; the keys after the last of them are left out.
BLOCK = 64


def attention(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """Causal, with grouped heads: (B, T, heads, hs), (B, T, kv heads, hs) -> as q."""
    batch, length, heads, size = q.shape
    groups = k.shape[2]
    q = (q / math.sqrt(size)).transpose(0, 2, 1, 3).reshape(batch * groups, -1, length, size)
    k, v = (x.transpose(0, 2, 1, 3).reshape(-1, length, size) for x in (k, v))
    return _causal(q, k, v).reshape(batch, heads, length, size).transpose(0, 2, 1, 3)


@jax.custom_vjp
def _causal(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
    """(G, heads of a group, T, hs) and (G, T, hs) twice -> as q.

    One group of heads at a time, whose scores fit a cache, and with scores computed again for the
    gradient: three times as fast on a CPU as JAX's own gradient of the formula.
    """
    return jax.lax.map(_attend, (q, k, v))


def _forward(q: jax.Array, k: jax.Array, v: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    result = _causal(q, k, v)
    return result, (q, k, v, result)


def _backward(kept: tuple[jax.Array, ...], gradient: jax.Array) -> tuple[jax.Array, ...]:
    return jax.lax.map(_attend_gradient, (*kept, gradient))


_causal.defvjp(_forward, _backward)


def _blocks(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, length)) for start in range(0, length, BLOCK)]


def _chances(q: jax.Array, k: jax.Array, start: int) -> jax.Array:
    """(heads, queries, hs) from position `start` on, (keys, hs) -> (heads * queries, keys)."""
    heads, queries, size = q.shape
    scores = (q.reshape(-1, size) @ k.T).reshape(heads, queries, -1)
    later = jnp.arange(len(k)) > jnp.arange(start, start + queries)[:, None]
    return jax.nn.softmax(jnp.where(later, -1e9, scores)).reshape(heads * queries, -1)


def _attend(group: tuple[jax.Array, ...]) -> jax.Array:
    q, k, v = group
    heads, length, size = q.shape
    parts = [
        (_chances(q[:, start:end], k[:end], start) @ v[:end]).reshape(heads, -1, size)
        for start, end in _blocks(length)
    ]
    return jnp.concatenate(parts, 1)


def _attend_gradient(group: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    q, k, v, result, gradient = group
    heads, length, size = q.shape
    weighted = (result * gradient).sum(-1, keepdims=True)
    parts, dk, dv = [], jnp.zeros_like(k), jnp.zeros_like(v)
    for start, end in _blocks(length):
        p = _chances(q[:, start:end], k[:end], start)
        out, query = (x[:, start:end].reshape(-1, size) for x in (gradient, q))
        dv = dv.at[:end].add(p.T @ out)
        ds = p * (out @ v[:end].T - weighted[:, start:end].reshape(-1, 1))
        parts.append((ds @ k[:end]).reshape(heads, -1, size))
        dk = dk.at[:end].add(ds.T @ query)
    return jnp.concatenate(parts, 1), dk, dv
