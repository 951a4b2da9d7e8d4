"""The fuzzer's strategies for a configuration: weights with corner values, tokens, stalls.

Weights are sparse over a base: zeros, or dense values from a seed.
A failing case shrinks towards few non-zero weights over a zero base.
"""

import dataclasses

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden.case import Case, Feed
from golden.checkpoint import random_checkpoint
from golden.quantise import Model, Rows, quantise
from spec.config import Config
from spec.derived import MAX_SHIFT
from spec.schedule import layer_ops


@st.composite
def models(draw: st.DrawFn, config: Config) -> Model:
    """Integer weights for `config`: corner values over zeros or over a dense random model."""
    seed = draw(st.none() | st.integers(0, 2**16 - 1))
    base = quantise(random_checkpoint(config.shape, seed or 0), config)

    def rows(dense: Rows) -> Rows:
        if seed is None:
            # Shifts of the dense weights: larger sums than theirs saturate.
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
    # 0 leaves the weight unchanged.
    corners = st.sampled_from([0, 1, -1, high, low, high - 1, low + 1, 1 << (bits - 2)])
    overlay = draw(hnp.arrays(np.int64, dense.weights.shape, elements=corners, fill=st.just(0)))
    shifts = st.sampled_from([-1, 0, 1, 2, 8, 15, 24, MAX_SHIFT])  # -1: unchanged
    replaced = draw(hnp.arrays(np.int64, dense.shift.shape, elements=shifts, fill=st.just(-1)))
    return Rows(
        np.where(overlay != 0, overlay, dense.weights),
        np.where(replaced >= 0, replaced, dense.shift),
    )


#: A seed of stalls on every stream; None for no stalls.
stall_seeds = st.none() | st.integers(0, 2**32)


@st.composite
def cases(draw: st.DrawFn, config: Config, steps: st.SearchStrategy[int]) -> Case:
    """A prompt of 1 to seq_len tokens, compared over `steps`, with stalls or without."""
    ids = st.integers(0, config.shape.vocab - 1)
    prompt = draw(st.lists(ids, min_size=1, max_size=config.shape.seq_len))
    return Case(tuple(prompt), draw(steps), draw(stall_seeds))


@st.composite
def impolite_cases(draw: st.DrawFn, config: Config) -> Case:
    """What any host may do: texts begun in the middle of another, or behind an end without saying
    so; tokens sampled anywhere, or never; a choice taken, or ignored; texts of one token, and
    contexts that fill up."""
    shape = config.shape
    ids = st.integers(0, shape.vocab - 1)
    # Ids that end a text are often offered, too.
    tokens = ids | st.sampled_from(shape.end_ids) if shape.end_ids else ids
    seldom = st.sampled_from([False] * 7 + [True])
    firsts = draw(st.sampled_from([seldom, st.booleans(), st.just(False)]))
    feeds = st.builds(Feed, tokens, firsts, st.booleans())
    most = 2 * shape.seq_len + 4
    drawn = draw(st.lists(feeds, min_size=1, max_size=most))
    return Case.of_feeds(tuple(drawn), draw(stall_seeds))
