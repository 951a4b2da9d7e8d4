"""The number of products of a token, against the arrays that golden multiplies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.quantise import quantise
from golden.work import products
from spec.config import named
from spec.schedule import Op
from spec.trace import Tensor
from tests.strategies import configs


@settings(max_examples=10)
@given(configs(), st.data())
def test_every_weight_once_and_every_position_twice(config, data):
    model = quantise(random_checkpoint(config.shape, seed=1), config)
    golden = FixedDecoder(model)
    # A bias is added, as an embedding is copied: its pass multiplies by one.
    weights = sum(
        rows.weights.size
        for layer in model.layers
        for op, rows in layer.items()
        if op is not Op.BIAS
    )
    for position in range(data.draw(st.integers(1, config.shape.seq_len))):
        golden.step(np.array([0]), trace=True)
        scores, weighted = golden.trace[Tensor.SCORE].size, golden.trace[Tensor.WEIGHT].size
        silent = weights + (scores + weighted) * config.shape.head_dim
        assert products(config.shape, position, classified=False) == silent
        assert golden.products(classified=False) == silent
        assert golden.products(classified=True) == silent + model.classifier.weights.size


@pytest.mark.parametrize("classified", [True, False])
def test_of_stories260k(classified):
    shape = named("stories260k").shape
    assert products(shape, 9, classified=classified) == 226_560 + classified * 32_768 + 640 * 10
