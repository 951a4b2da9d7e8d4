"""The fuzzer's strategies for a configuration: weights with corner values, tokens, stalls.

Weights are sparse over a base: zeros, or dense values from a seed.
A failing case shrinks towards few non-zero weights over a zero base.
"""

import dataclasses
import functools

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden.case import Case, Feed
from golden.checkpoint import random_checkpoint
from golden.quantise import Model, Rows, quantise
from spec.config import Config
from spec.derived import MAX_SHIFT
from spec.schedule import Op, layer_ops


@st.composite
def models(draw: st.DrawFn, config: Config) -> Model:
    """Integer weights for `config`: corner values over zeros, over a dense random model, or over
    one of the `ADVERSARIES`."""
    seed = draw(st.none() | st.integers(0, 2**16 - 1))
    adversary = draw(st.none() | st.sampled_from(list(ADVERSARIES))) if seed is not None else None
    base = quantise(random_checkpoint(config.shape, seed or 0), config)
    bits, ops = config.numerics.weight_bits, layer_ops(config)

    def rows(op: Op, dense: Rows) -> Rows:
        if seed is None:
            # Shifts of the dense weights: larger sums than theirs saturate.
            dense = Rows(np.zeros_like(dense.weights), dense.shift)
        if adversary is not None:
            dense = ADVERSARIES[adversary](op, dense, config)
        return _with_corners(draw, dense, bits)

    return dataclasses.replace(
        base,
        embedding=rows(Op.EMBED, base.embedding),
        layers=tuple({op: rows(op, layer[op]) for op in ops} for layer in base.layers),
        classifier=rows(Op.CLS, base.classifier),
    )


def _extremes(signs: np.ndarray, config: Config) -> np.ndarray:
    """The weight at the end of its range for each sign."""
    limit = 1 << (config.numerics.weight_bits - 1)
    return np.where(signs < 0, -limit, limit - 1).astype(signs.dtype)


def _saturating(op: Op, rows: Rows, config: Config) -> Rows:
    """Every sum leaves its format, in both directions."""
    return Rows(_extremes(rows.weights, config), np.zeros_like(rows.shift))


def _outlier(op: Op, rows: Rows, config: Config) -> Rows:
    """One channel is a thousand times the others: the residual has it, and all read it."""
    weights = rows.weights >> 10
    weights[:, 0] = _extremes(rows.weights[:, 0], config)
    return Rows(weights, rows.shift)


def _equal_scores(op: Op, rows: Rows, config: Config) -> Rows:
    """All queries are 0: every position has the same score."""
    weights = rows.weights.copy()
    if op is Op.QKV:
        weights[: config.shape.q_dim] = 0
    return Rows(weights, rows.shift)


def _zero_rows(op: Op, rows: Rows, config: Config) -> Rows:
    """Every other row is 0; a norm sees the smallest sum of squares there is."""
    weights = rows.weights.copy()
    weights[::2] = 0
    return Rows(weights, rows.shift)


def _tiny(op: Op, rows: Rows, config: Config) -> Rows:
    """Weights of one unit, with the largest shift: nearly everything rounds to 0 or to -1."""
    return Rows(np.sign(rows.weights), np.full_like(rows.shift, MAX_SHIFT))


def _one_sign(op: Op, rows: Rows, config: Config) -> Rows:
    """All products of a row have one sign: accumulators go as far as they can."""
    signs = np.ones_like(rows.weights)
    if op is not Op.EMBED:
        signs[1::2] = -1
    return Rows(_extremes(signs, config), rows.shift)


#: Weights as no training makes them, each a function of a matrix, its rows and the configuration.
ADVERSARIES = {
    "saturating": _saturating,
    "an outlier": _outlier,
    "equal scores": _equal_scores,
    "rows of zeros": _zero_rows,
    "tiny rows": _tiny,
    "one sign": _one_sign,
}


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


def plain_models(config: Config) -> st.SearchStrategy[Model]:
    """A few models without corners, which cost nothing to shrink: for what hosts do to them."""
    names = st.none() | st.sampled_from(list(ADVERSARIES))
    return st.builds(_plain_model, st.just(config), st.integers(0, 3), names)


@functools.cache
def _plain_model(config: Config, seed: int, adversary: str | None) -> Model:
    base = quantise(random_checkpoint(config.shape, seed), config)
    spoil = ADVERSARIES[adversary] if adversary else lambda op, rows, config: rows
    return dataclasses.replace(
        base,
        embedding=spoil(Op.EMBED, base.embedding, config),
        layers=tuple(
            {op: spoil(op, rows, config) for op, rows in layer.items()} for layer in base.layers
        ),
        classifier=spoil(Op.CLS, base.classifier, config),
    )


#: A seed of stalls on every stream; None for no stalls.
stall_seeds = st.none() | st.integers(0, 2**32)


@st.composite
def cases(draw: st.DrawFn, config: Config, steps: st.SearchStrategy[int]) -> Case:
    """A prompt of 1 to seq_len tokens, compared over `steps`, with stalls or without."""
    ids = st.integers(0, config.shape.vocab - 1)
    prompt = draw(st.lists(ids, min_size=1, max_size=config.shape.seq_len))
    return Case(tuple(prompt), draw(steps), draw(stall_seeds))


def offered_ids(config: Config) -> st.SearchStrategy[int]:
    """Token ids; those that end a text are offered often, too."""
    ids = st.integers(0, config.shape.vocab - 1)
    return ids | st.sampled_from(config.shape.end_ids) if config.shape.end_ids else ids


@st.composite
def impolite_cases(draw: st.DrawFn, config: Config) -> Case:
    """What any host may do: texts begun in the middle of another, or behind an end without saying
    so; tokens sampled anywhere, or never; a choice taken, or ignored; texts of one token, and
    contexts that fill up."""
    shape = config.shape
    seldom = st.sampled_from([False] * 7 + [True])
    firsts = draw(st.sampled_from([seldom, st.booleans(), st.just(False)]))
    feeds = st.builds(Feed, offered_ids(config), firsts, st.booleans())
    most = 2 * shape.seq_len + 4
    drawn = draw(st.lists(feeds, min_size=1, max_size=most))
    return Case.of_feeds(tuple(drawn), draw(stall_seeds))
