"""Hypothesis strategies of fuzzer, sweep and unit tests: shapes, number systems, configurations.

The first of each choice is the simplest, because failures shrink towards it.
"""

import dataclasses

from hypothesis import strategies as st

from spec.config import CacheBacking, Config, Geometry, Numerics, RopeBy
from spec.fixed import SQ, Rounding
from spec.shape import Llama3Scaling, Shape

#: The number systems to draw from, by name.
NUMERICS = {
    "default": Numerics(),
    "int8": Numerics(weight_bits=8),
    "half even": Numerics(rounding=Rounding.HALF_EVEN),
    "truncate": Numerics(rounding=Rounding.TRUNCATE, weight_bits=8),
    "narrow": Numerics(
        residual=SQ(6, 6), q=SQ(5, 7), k=SQ(4, 6), v=SQ(3, 8), score=SQ(9, 6), attention=SQ(3, 7),
        gate=SQ(4, 9), up=SQ(5, 7), silu=SQ(4, 8), ffn=SQ(5, 6), logits=SQ(7, 6), weight=SQ(1, 10),
        rope=SQ(2, 9), rsqrt_index_bits=5, reciprocal_index_bits=4, sigmoid_index_bits=6,
    ),
    "wide": Numerics(
        residual=SQ(5, 13), q=SQ(4, 12), k=SQ(4, 12), v=SQ(3, 13), score=SQ(10, 12),
        attention=SQ(3, 13), gate=SQ(4, 12), up=SQ(4, 12), silu=SQ(5, 13), ffn=SQ(5, 13),
        logits=SQ(5, 11), weight=SQ(1, 17), rope=SQ(2, 16),
    ),
    # Floating-point operands: of 5 exponents and 4, of 3 and 2, of 2 and 1.
    "wide state": Numerics(residual=SQ(17, 15), ffn=SQ(14, 15), silu=SQ(7, 11)),
    "wider state": Numerics(
        residual=SQ(10, 12), ffn=SQ(9, 12), rounding=Rounding.HALF_EVEN, weight_bits=8
    ),
    "wide residual": Numerics(residual=SQ(8, 11), rounding=Rounding.TRUNCATE),
}  # fmt: skip


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Small shapes: any head ratio, odd hidden sizes, any vocabulary and context, several RoPE
    rates, epsilons and special tokens, the defaults included."""
    kv_heads = draw(st.integers(1, 4))
    group = draw(st.integers(1, 4))
    head_dim = 2 * draw(st.integers(1, 4))
    vocab = draw(st.integers(2, 20))
    ids = st.integers(0, vocab - 1)
    q_dim = kv_heads * group * head_dim
    return Shape(
        dim=draw(st.just(q_dim) | st.integers(1, 16).map(lambda half: 2 * half)),
        hidden=draw(st.integers(1, 24)),
        layers=draw(st.integers(1, 3)),
        heads=kv_heads * group,
        kv_heads=kv_heads,
        vocab=vocab,
        seq_len=draw(st.integers(1, 18)),
        rope_base=draw(st.sampled_from((1e4, 5e5, 1e6, 1.0))),
        rope_scaling=draw(st.none() | scalings()),
        norm_epsilon=draw(st.sampled_from((1e-5, 1e-6, 1e-2))),
        head_dim=head_dim,
        qkv_bias=draw(st.booleans()),
        end_ids=draw(st.just((1,)) | st.frozensets(ids, max_size=3).map(tuple)),
        bos=draw(st.just(1) | st.none() | ids),
    )


@st.composite
def scalings(draw: st.DrawFn) -> Llama3Scaling:
    """Original contexts so short that small heads have pairs below and above the thresholds."""
    low = draw(st.sampled_from((0.5, 1.0, 2.0)))
    return Llama3Scaling(
        factor=draw(st.sampled_from((1.0, 8.0, 32.0))),
        low_freq_factor=low,
        high_freq_factor=low * draw(st.sampled_from((2.0, 4.0))),
        original_seq_len=draw(st.integers(1, 64)),
    )


#: One of `NUMERICS` with any RoPE, the default first.
numerics = st.builds(
    dataclasses.replace, st.sampled_from(tuple(NUMERICS.values())), rope_by=st.sampled_from(RopeBy)
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A small decoder of any shape, number system, number of lanes and backing of the cache."""
    shape = draw(shapes())
    lanes = 1 << draw(st.integers(0, 5))
    geometry = Geometry(lanes=lanes, cache=draw(st.sampled_from(CacheBacking)))
    return Config(name="drawn", shape=shape, numerics=draw(numerics), geometry=geometry)
