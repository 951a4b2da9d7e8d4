"""Calibration: formats hold what was seen, widths stay, and the named instance is what it chose."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from design.config import Config, Numerics, named
from design.derived import derive
from design.errors import BadInput
from design.fixed import SQ
from golden.calibrate import (
    HEADROOM,
    NUMERICS,
    calibrated,
    config_for,
    fit,
    float_tensors,
    numerics_for,
    ranges,
)
from golden.checkpoint import random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder

NANO = named("nano")
UNNAMED = dataclasses.replace(NANO.shape, hidden=10)


@given(st.floats(2.0**-7, 2.0**20), st.sampled_from([SQ(5, 11), SQ(1, 17), SQ(8, 16)]))
def test_fit_is_the_narrowest_that_holds(magnitude, form):
    found = fit(form, magnitude)
    assert found.width == form.width
    assert magnitude * HEADROOM <= 2.0 ** (found.i - 1) < 2 * magnitude * HEADROOM * (1 + 1e-12)


def test_fit_of_nothing():
    assert fit(SQ(5, 11), 0.0) == SQ(-7, 23)


def test_ranges_grow_with_the_steps():
    checkpoint = random_checkpoint(NANO.shape, 1)
    seen: list[int] = []
    few = ranges(checkpoint, 2, progress=seen.append)
    many = ranges(checkpoint, NANO.shape.seq_len)
    assert seen == [1, 2]
    assert few.keys() == many.keys()
    assert all(few[name] <= many[name] for name in few)
    assert few == ranges(checkpoint, 2)
    assert few != ranges(checkpoint, 2, seed=1)


def test_float_tensors_are_in_the_units_of_the_fixed_decoder():
    checkpoint = random_checkpoint(NANO.shape, 1)
    decoder = FloatDecoder(checkpoint)
    for token in (1, 5, 9):
        decoder.step([token])
    found = float_tensors(decoder.trace, checkpoint)
    # Of the tensors, only weights and angles are bounded by what they are.
    names = {field.name for field in dataclasses.fields(Numerics) if field.type is SQ}
    assert found.keys() == names - {"weight", "rope"}
    # Scores of base 2: weights are exp2 of them.
    for score, weight in zip(found["score"], decoder.trace["weight"], strict=True):
        power = np.exp2(score - score.max(axis=-1, keepdims=True))
        np.testing.assert_allclose(power / power.sum(axis=-1, keepdims=True), weight)
    # A score is the product of a query and a key, without any further factor.
    key = np.repeat(found["k"], NANO.shape.group, axis=2)
    np.testing.assert_allclose((found["q"] * key).sum(axis=-1), found["score"][..., -1])
    # The embedding, then two updates a layer.
    trace = decoder.trace
    residual = [trace["x_embed"], *trace["x_att"], *trace["x_ffn"]]
    assert len(found["residual"]) == 1 + 2 * NANO.shape.layers
    np.testing.assert_array_equal(found["residual"], np.stack(residual))


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_formats_hold_what_was_seen(scale):
    checkpoint = random_checkpoint(NANO.shape, 7, scale=scale)
    base = Numerics()
    largest = ranges(checkpoint, NANO.shape.seq_len)
    found = numerics_for(largest, base)
    for name, magnitude in largest.items():
        form = getattr(found, name)
        assert magnitude <= (form.max + 1) / form.scale, name
        if name != "score":
            assert form.width == getattr(base, name).width, name
    assert found.score.f == base.score.f
    untouched = ("weight_bits", "rounding", "weight", "rope", "rsqrt_index_bits")
    assert all(getattr(found, name) == getattr(base, name) for name in untouched)
    derive(NANO.with_numerics(found))


def test_biases_and_what_they_are_added_to_fit_too():
    # A bias of 100 that the matrix takes away again: queries, keys and values themselves are small.
    shape = dataclasses.replace(NANO.shape, qkv_bias=True)
    checkpoint = random_checkpoint(shape, 7)
    plain = numerics_for(ranges(checkpoint, 4), Numerics())
    biases = {
        name: np.full_like(checkpoint.weights[name], 100.0) * (name == "bk")
        for name in ("bq", "bk", "bv")
    }
    large = dataclasses.replace(checkpoint, weights=checkpoint.weights | biases)
    found = ranges(large, 4)
    assert found["k"] >= 100 and numerics_for(found, Numerics()).k.i > plain.k.i
    assert found["v"] < 100


def test_config_for_a_named_shape_is_the_named_instance():
    checkpoint = random_checkpoint(NANO.shape, 1)
    assert config_for(checkpoint) == NANO
    assert config_for(checkpoint, lanes=16) == NANO.with_lanes(16)
    int8 = dataclasses.replace(NANO.numerics, weight_bits=8)
    assert config_for(checkpoint, numerics="int8") == NANO.with_numerics(int8)
    assert config_for(checkpoint, numerics="calibrated") == calibrated(checkpoint, NANO)


def test_config_for_another_shape_is_calibrated():
    checkpoint = random_checkpoint(UNNAMED, 1)
    seen: list[int] = []
    found = config_for(checkpoint, progress=seen.append)
    assert found == calibrated(checkpoint, Config(name="custom", shape=UNNAMED))
    assert seen[-1] == UNNAMED.seq_len


def test_unknown_numerics_are_refused():
    with pytest.raises(BadInput, match=f"^numerics = 'bf8' is not one of {', '.join(NUMERICS)}$"):
        config_for(random_checkpoint(NANO.shape, 1), numerics="bf8")


def test_stories260k_is_what_calibration_chooses(data_folder):
    checkpoint = load_checkpoint(data_folder / "stories260K.bin")
    assert config_for(checkpoint, numerics="calibrated") == named("stories260k")
