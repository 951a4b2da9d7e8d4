"""The weight schedule: where every weight lies, found again the slow way."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.checkpoint import random_checkpoint
from golden.image import pack
from golden.passes import from_beats
from golden.quantise import Model, Rows, quantise
from spec.config import CONFIGS, LANES, Config
from spec.derived import SHIFT_BITS, derive
from spec.schedule import Op, attention_order, image, layer_ops, matrix, ops
from tests.design.support import passes
from tests.strategies import configs


@given(configs())
def test_layout_of_the_image(config):
    shape, layout = config.shape, image(config)
    sizes = {
        Op.EMBED: (shape.dim, 1),
        Op.QKV: (shape.q_dim + 2 * shape.kv_dim, shape.dim),
        Op.WO: (shape.dim, shape.q_dim),
        Op.W13: (2 * shape.hidden, shape.dim),
        Op.W2: (shape.dim, shape.hidden),
        Op.CLS: (shape.vocab, shape.dim),
    }
    if shape.qkv_bias:
        sizes[Op.BIAS] = (shape.q_dim + 2 * shape.kv_dim, 1)
    assert sizes.keys() == set(ops(config))
    beats = dict.fromkeys(sizes, 0)
    for op, (_, cols) in sizes.items():
        for _, folded, number in passes(config, op):
            beats[op] += (number == 0) + (cols // 2 if folded else cols)
    assert {op: (spec.rows, spec.cols) for op in sizes if (spec := matrix(config, op))} == sizes
    assert {op: matrix(config, op).beats for op in sizes} == beats
    layer = sum(count for op, count in beats.items() if op not in (Op.EMBED, Op.CLS))
    assert layout.embedding_beats == beats[Op.EMBED]
    assert layout.body == shape.vocab * layout.embedding_beats
    assert layout.layer_beats == layer
    assert layout.body_beats == shape.layers * layer
    assert layout.classifier_beats == beats[Op.CLS]
    assert layout.beats == layout.body + layout.body_beats + layout.classifier_beats


def check_attention_order(config: Config) -> None:
    shape, derived = config.shape, derive(config)
    order = attention_order(config)
    assert sorted(order) == list(range(shape.q_dim))
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

    def beat(*parts) -> list[int]:
        """Of each part, which begins on a lane of its own; the lanes between are padding."""
        room = lanes // len(parts)
        return [int(value) for part in parts for value in [*part, *[0] * (room - len(part))]]

    def walk(op: Op, rows: Rows, columns):
        every = passes(config, op)
        for at, (mine, folded, number) in enumerate(every):
            if number == 0:
                shifts = np.zeros(lanes, dtype=np.int64)
                for place, (then, _, behind) in enumerate(every[at:]):
                    if behind != place:
                        break
                    shifts[: len(then)] += rows.shift[then].astype(np.int64) << place * SHIFT_BITS
                yield beat(shifts)
            if folded:
                half = len(columns) // 2
                for pair in zip(columns[:half], columns[half:], strict=True):
                    yield beat(*(rows.weights[mine, column] for column in pair))
            else:
                for column in columns:
                    yield beat(rows.weights[mine, column])

    for weights, shifts in zip(model.embedding.weights, model.embedding.shift, strict=True):
        yield from walk(Op.EMBED, Rows(weights[:, None], shifts), [0])
    for layer in model.layers:
        for op in layer_ops(model.config):
            natural = range(matrix(config, op).cols)
            yield from walk(op, layer[op], attention_order(config) if op is Op.WO else natural)
    yield from walk(Op.CLS, model.classifier, range(config.shape.dim))


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
    layout = image(config)
    token = data.draw(st.integers(0, config.shape.vocab - 1))
    start = token * layout.embedding_beats
    beats = pack(model)[start : start + layout.embedding_beats]
    found = from_beats(beats, matrix(config, Op.EMBED))
    assert found.shift.tolist() == model.embedding.shift[token].tolist()
    assert found.weights[:, 0].tolist() == model.embedding.weights[token].tolist()
