"""The weight schedule: where every weight lies, found again the slow way."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from design.config import CONFIGS, LANES, Config
from design.derived import derive
from design.schedule import LAYER_OPS, Op, attention_order, image, matrix
from golden.checkpoint import random_checkpoint
from golden.image import pack
from golden.quantise import Model, Rows, quantise
from tests.fuzz.strategies import configs


@given(configs())
def test_layout_of_the_image(config):
    shape, lanes, layout = config.shape, config.geometry.lanes, image(config)

    def beats(rows: int, cols: int) -> int:
        return len(range(0, rows, lanes)) * (cols + 1)

    layer = (
        beats(shape.dim + 2 * shape.kv_dim, shape.dim)
        + beats(shape.dim, shape.dim)
        + beats(2 * shape.hidden, shape.dim)
        + beats(shape.dim, shape.hidden)
    )
    assert layout.embedding_beats == beats(shape.dim, 1)
    assert layout.body == shape.vocab * layout.embedding_beats
    assert layout.layer_beats == layer == sum(matrix(config, op).beats for op in LAYER_OPS)
    assert layout.body_beats == shape.layers * layer
    assert layout.classifier_beats == beats(shape.vocab, shape.dim)
    assert layout.beats == layout.body + layout.body_beats + layout.classifier_beats


def check_attention_order(config: Config) -> None:
    shape, derived = config.shape, derive(config)
    order = attention_order(config)
    assert sorted(order) == list(range(shape.dim))
    # A head's elements come in order, and never before those of an earlier block of heads.
    for head in range(shape.heads):
        mine = [element for element in order if element // shape.head_dim == head]
        assert mine == sorted(mine)
    blocks = [element // shape.head_dim // derived.slots for element in order]
    assert blocks == sorted(blocks)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("name", ["nano", "stories260k", "stories15m", "stories110m"])
def test_attention_order_of_named_instances(name, lanes):
    check_attention_order(CONFIGS[name].with_lanes(lanes))


@given(configs())
def test_attention_order(config):
    check_attention_order(config)


def streamed(model: Model):
    """Every weight of the image, one at a time, in the order that the schedule's text says."""
    config = model.config
    lanes = config.geometry.lanes

    def walk(rows: Rows, columns):
        count = len(rows.weights)
        for first in range(0, count, lanes):
            lane_rows = range(first, first + lanes)
            yield [int(rows.shift[row]) if row < count else 0 for row in lane_rows]
            for column in columns:
                yield [int(rows.weights[row, column]) if row < count else 0 for row in lane_rows]

    for weights, shifts in zip(model.embedding.weights, model.embedding.shift, strict=True):
        yield from walk(Rows(weights[:, None], shifts), [0])
    for layer in model.layers:
        for op in LAYER_OPS:
            natural = range(matrix(config, op).cols)
            yield from walk(layer[op], attention_order(config) if op is Op.WO else natural)
    yield from walk(model.classifier, range(config.shape.dim))


@given(configs(), st.integers(0, 2**16))
def test_every_weight_is_where_the_schedule_says(config, seed):
    model = quantise(random_checkpoint(config.shape, seed, shared=False), config)
    packed = pack(model)
    assert packed.itemsize * 8 == config.numerics.weight_bits
    for number, (expected, beat) in enumerate(
        itertools.zip_longest(streamed(model), packed.tolist())
    ):
        assert beat == expected, number


@given(configs(), st.data())
def test_a_token_reads_its_embedding_row(config, data):
    model = quantise(random_checkpoint(config.shape, 1), config)
    layout, lanes = image(config), config.geometry.lanes
    token = data.draw(st.integers(0, config.shape.vocab - 1))
    start = token * layout.embedding_beats
    beats = pack(model)[start : start + layout.embedding_beats]
    shifts, weights = beats[0::2].reshape(-1), beats[1::2].reshape(-1)
    dim = config.shape.dim
    assert shifts[:dim].tolist() == model.embedding.shift[token].tolist()
    assert weights[:dim].tolist() == model.embedding.weights[token].tolist()
    assert not shifts[dim:].any() and not weights[dim:].any()
    assert len(weights) == matrix(config, Op.EMBED).passes * lanes
