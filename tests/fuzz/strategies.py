"""What the fuzzer draws: shapes, formats, weights with corner values, tokens, stalls.

Shapes are drawn first and small, weights sparse over a base: zeros, or dense values from a seed.
A failing case shrinks towards few non-zero weights over a zero base.
"""

import dataclasses

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from formal.sweep import shapes
from golden.case import Case
from golden.checkpoint import random_checkpoint
from golden.quantise import Model, Rows, quantise
from spec.config import CacheBacking, Config, Geometry, Numerics
from spec.derived import MAX_SHIFT
from spec.fixed import SQ, Rounding
from spec.schedule import layer_ops

#: The number systems that are drawn, by name.
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
def configs(draw: st.DrawFn) -> Config:
    """A small decoder of any shape, number system, number of lanes and backing of the cache."""
    shape = draw(shapes())
    lanes = 1 << draw(st.integers(0, 5))
    numerics = draw(st.sampled_from(sorted(NUMERICS)))
    geometry = Geometry(lanes=lanes, cache=draw(st.sampled_from(CacheBacking)))
    return Config(name="fuzz", shape=shape, numerics=NUMERICS[numerics], geometry=geometry)


@st.composite
def models(draw: st.DrawFn, config: Config) -> Model:
    """Integer weights for `config`: corner values over zeros or over a dense random model."""
    seed = draw(st.none() | st.integers(0, 2**16 - 1))
    base = quantise(random_checkpoint(config.shape, seed or 0), config)

    def rows(dense: Rows) -> Rows:
        if seed is None:
            # Shifts as for the dense weights: larger sums than theirs saturate.
            dense = Rows(np.zeros_like(dense.weights), dense.shift)
        return _with_corners(draw, dense, config.numerics.weight_bits)

    return dataclasses.replace(
        base,
        embedding=rows(base.embedding),
        layers=tuple({op: rows(layer[op]) for op in layer_ops(config)} for layer in base.layers),
        classifier=rows(base.classifier),
    )


def _with_corners(draw: st.DrawFn, dense: Rows, bits: int) -> Rows:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    # 0 leaves the weight as it is.
    corners = st.sampled_from([0, 1, -1, high, low, high - 1, low + 1, 1 << (bits - 2)])
    overlay = draw(hnp.arrays(np.int64, dense.weights.shape, elements=corners, fill=st.just(0)))
    shifts = st.sampled_from([-1, 0, 1, 2, 8, 15, 24, MAX_SHIFT])  # -1 leaves it
    replaced = draw(hnp.arrays(np.int64, dense.shift.shape, elements=shifts, fill=st.just(-1)))
    return Rows(
        np.where(overlay != 0, overlay, dense.weights),
        np.where(replaced >= 0, replaced, dense.shift),
    )


#: A seed for stalls on every stream; None for no stalls.
stall_seeds = st.none() | st.integers(0, 2**32)


@st.composite
def cases(draw: st.DrawFn, config: Config, steps: st.SearchStrategy[int]) -> Case:
    """A prompt of 1 to seq_len tokens, compared over `steps`, with stalls or without."""
    ids = st.integers(0, config.shape.vocab - 1)
    prompt = draw(st.lists(ids, min_size=1, max_size=config.shape.seq_len))
    return Case(tuple(prompt), draw(steps), draw(stall_seeds))
