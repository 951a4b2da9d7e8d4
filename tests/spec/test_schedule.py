"""The weight schedule: the position of every weight, recomputed one weight at a time."""

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
        of_head = [element for element in order if element // shape.head_dim == head]
        assert of_head == sorted(of_head)
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
    """Every beat of the image, in the order of the docstring of `spec.schedule`."""
    config = model.config
    lanes = config.geometry.lanes

    def beat(*parts) -> list[int]:
        """Each part begins at an equal share of the lanes, and is padded with zeros."""
        room = lanes // len(parts)
        return [int(value) for part in parts for value in [*part, *[0] * (room - len(part))]]

    def walk(op: Op, rows: Rows, columns):
        all_passes = passes(config, op)
        for first, (pass_rows, folded, number) in enumerate(all_passes):
            if number == 0:
                shifts = np.zeros(lanes, dtype=np.int64)
                for field, (later_rows, _, later_number) in enumerate(all_passes[first:]):
                    if later_number != field:
                        break  # the pass has its own header
                    later_shifts = rows.shift[later_rows].astype(np.int64)
                    shifts[: len(later_rows)] += later_shifts << field * SHIFT_BITS
                yield beat(shifts)
            if folded:
                half = len(columns) // 2
                for pair in zip(columns[:half], columns[half:], strict=True):
                    yield beat(*(rows.weights[pass_rows, column] for column in pair))
            else:
                for column in columns:
                    yield beat(rows.weights[pass_rows, column])

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
    row = from_beats(beats, matrix(config, Op.EMBED))
    assert row.shift.tolist() == model.embedding.shift[token].tolist()
    assert row.weights[:, 0].tolist() == model.embedding.weights[token].tolist()
