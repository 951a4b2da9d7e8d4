"""Small models, each with a feature that those of llama2.c do not have."""

from typing import Any

from spec.shape import Llama3Scaling

SIZES = dict(dim=24, hidden=10, layers=2, heads=4, kv_heads=2, vocab=9, seq_len=6)
#: Differences from llama2.c, by name.
FEATURES: dict[str, dict[str, Any]] = {
    "llama2c": {},
    "base and epsilon": dict(rope_base=1e6, norm_epsilon=0.1),
    "llama3": dict(
        rope_base=100.0,
        rope_scaling=Llama3Scaling(
            factor=8, low_freq_factor=1, high_freq_factor=4, original_seq_len=20
        ),
    ),
    "head_dim": dict(head_dim=10),
    "qkv_bias": dict(qkv_bias=True),
}
