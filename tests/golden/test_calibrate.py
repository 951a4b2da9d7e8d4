"""Calibration: formats hold the measured ranges, widths stay, and named formats are its choice."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import calibrate
from golden.calibrate import NUMERICS, calibrated, config_for, content_hash, ranges_of
from golden.checkpoint import random_checkpoint
from golden.checkpoints import DEFAULT, load_checkpoint
from golden.float_decoder import FloatDecoder
from golden.quantise import quantise, real_rows
from golden.ranges import (
    HEADROOM,
    MOST_POSITIONS,
    WIDENED,
    Ranges,
    explain,
    fit,
    float_tensors,
    numerics_for,
    positions_for,
    ranges,
)
from spec.config import Config, Numerics, named
from spec.derived import derive
from spec.fixed import SQ
from tests.story import STORIES
from tools.errors import BadInput

NANO = named("nano")
UNNAMED = dataclasses.replace(NANO.shape, hidden=10)


@given(st.floats(2.0**-7, 2.0**20), st.sampled_from([SQ(5, 11), SQ(1, 17), SQ(8, 16)]))
def test_fit_is_the_narrowest_that_holds(magnitude, form):
    actual = fit(form, magnitude)
    assert actual.width == form.width
    assert magnitude * HEADROOM <= 2.0 ** (actual.i - 1) < 2 * magnitude * HEADROOM * (1 + 1e-12)


def test_fit_of_nothing():
    assert fit(SQ(5, 11), 0.0) == SQ(-7, 23)


def test_ranges_grow_with_the_steps():
    checkpoint = random_checkpoint(NANO.shape, 1)
    seen: list[int] = []
    few = ranges(checkpoint, 2, progress=seen.append)
    many = ranges(checkpoint, NANO.shape.seq_len)
    assert seen == [1, 2]
    assert few.largest.keys() == many.largest.keys()
    assert all(few.largest[name] <= many.largest[name] for name in few.largest)
    assert all(few.quiet[name] <= many.quiet[name] for name in few.quiet)
    assert few == ranges(checkpoint, 2)
    assert few != ranges(checkpoint, 2, seed=1)


def test_float_tensors_are_in_the_units_of_the_fixed_decoder():
    checkpoint = random_checkpoint(NANO.shape, 1)
    decoder = FloatDecoder(checkpoint)
    for token in (1, 5, 9):
        decoder.step([token])
    actual = float_tensors(decoder.trace, checkpoint)
    # All tensors but softmax weights and angles, which are bounded by definition.
    names = {field.name for field in dataclasses.fields(Numerics) if field.type is SQ}
    assert actual.keys() == names - {"weight", "rope"}
    # Scores have base 2: weights are exp2 of them.
    for score, weight in zip(actual["score"], decoder.trace["weight"], strict=True):
        power = np.exp2(score - score.max(axis=-1, keepdims=True))
        np.testing.assert_allclose(power / power.sum(axis=-1, keepdims=True), weight)
    # A score is the product of a query and a key, without any further factor.
    key = np.repeat(actual["k"], NANO.shape.group, axis=2)
    np.testing.assert_allclose((actual["q"] * key).sum(axis=-1), actual["score"][..., -1])
    # The embedding, then two updates a layer.
    trace = decoder.trace
    residual = [trace["x_embed"], *trace["x_att"], *trace["x_ffn"]]
    assert len(actual["residual"]) == 1 + 2 * NANO.shape.layers
    np.testing.assert_array_equal(actual["residual"], np.stack(residual))


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_formats_hold_what_was_seen(scale):
    checkpoint = random_checkpoint(NANO.shape, 7, scale=scale)
    base = Numerics()
    seen = ranges(checkpoint, NANO.shape.seq_len)
    actual = numerics_for(seen, base)
    for name, magnitude in seen.largest.items():
        form = getattr(actual, name)
        assert magnitude <= (form.max + 1) / form.scale, name
        if name not in ("score", "silu", *WIDENED):
            assert form.width == getattr(base, name).width, name
    assert actual.score.f == base.score.f
    untouched = ("weight_bits", "rounding", "weight", "rope", "rsqrt_index_bits")
    assert all(getattr(actual, name) == getattr(base, name) for name in untouched)
    derive(NANO.with_numerics(actual))


def test_biases_and_what_they_are_added_to_fit_too():
    # A bias of 100 that the matrix cancels: queries, keys and values themselves are small.
    shape = dataclasses.replace(NANO.shape, qkv_bias=True)
    checkpoint = random_checkpoint(shape, 7)
    plain = numerics_for(ranges(checkpoint, 4), Numerics())
    biases = {
        name: np.full_like(checkpoint.weights[name], 100.0) * (name == "bk")
        for name in ("bq", "bk", "bv")
    }
    large = dataclasses.replace(checkpoint, weights=checkpoint.weights | biases)
    actual = ranges(large, 4)
    assert actual.largest["k"] >= 100 and numerics_for(actual, Numerics()).k.i > plain.k.i
    assert actual.largest["v"] < 100


def seen_with(**magnitudes: tuple[float, float]) -> Ranges:
    """Ranges of 1, but for the largest and the quiet magnitude of some tensors."""
    names = {field.name for field in dataclasses.fields(Numerics) if field.type is SQ}
    largest = dict.fromkeys(names - {"weight", "rope"}, 1.0)
    actual = Ranges(largest, {"residual": 45, "ffn": 7}, {"residual": 1.0, "ffn": 1.0})
    for name, (most, quiet) in magnitudes.items():
        actual.largest[name], actual.quiet[name] = most, quiet
    layers = {"v": [1.0, 0.2], "attention": [0.9, 0.1], "up": [1.0, 1.0], "ffn": [0.01, 1.0]}
    return dataclasses.replace(actual, layers=layers)


@pytest.mark.parametrize(
    ("most", "quiet", "width"),
    [(10.0, 0.8, 18), (10.0, 0.2, 21), (24926.0, 0.34, 29), (24926.0, 0.2, 32), (10.0, 0.0, 18)],
)
def test_a_residual_is_as_wide_as_its_channels_are_apart(most, quiet, width):
    seen = seen_with(residual=(most, quiet))
    actual = numerics_for(seen, Numerics())
    assert actual.residual.width == width
    assert most * HEADROOM <= actual.residual.max / actual.residual.scale + 1
    wide = width > 18
    # The array has the hardware for the hidden vector, too; its factors have 31 fraction bits here.
    assert (actual.ffn.width > 18) == wide
    assert actual.ffn.f <= actual.silu.f + actual.up.f
    assert len(explain(seen, actual)) == 2 * wide
    assert actual.silu.width == (18 if wide else 16)
    # A layer whose values, and what follows from them, stay below the others has finer formats.
    assert (actual.v_gains, actual.up_gains) == (((0, 2), (0, 0)) if wide else ((), ()))
    derive(NANO.with_numerics(actual))


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("bits", [8, 16])
def test_no_row_of_weights_is_too_large_for_its_header(folder, scale, bits):
    # Like the gains of a norm that compensate for a channel far larger than the others.
    checkpoint = random_checkpoint(NANO.shape, 1)
    gains = {name: checkpoint.weights[name] * np.float32(scale) for name in ("rms_att", "rms_ffn")}
    checkpoint = dataclasses.replace(checkpoint, weights=checkpoint.weights | gains)
    config = config_for(checkpoint, numerics="int8" if bits == 8 else "default")
    limit = (1 << (bits - 1)) - 1
    model = quantise(checkpoint, config)
    for layer in model.layers:
        for op, rows in layer.items():
            step = np.abs(real_rows(checkpoint, op, 0)).max(axis=1) / limit
            assert (step > 0).all()
            assert (np.abs(rows.weights).max(axis=1) <= limit).all() and (rows.shift >= 0).all()
            clipped = (np.abs(rows.weights) >= limit).sum(axis=1)
            assert (clipped <= 1).all(), op


def test_a_wide_range_of_gates_has_a_long_table():
    seen = seen_with()
    assert numerics_for(seen, Numerics()).sigmoid_index_bits == 9
    seen.largest["gate"] = 50.0
    assert numerics_for(seen, Numerics()).sigmoid_index_bits == 12


def test_what_no_format_holds_is_refused_by_tensor_and_channel():
    message = (
        "^tensor residual needs 39 bits, more than 32: channel 45 reaches 5e[+]05, but the median"
        " channel of the smallest layer only 0.01$"
    )
    with pytest.raises(BadInput, match=message):
        numerics_for(seen_with(residual=(5e5, 0.01)), Numerics())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of cached calibrations."""
    monkeypatch.setattr(calibrate, "FOLDER", tmp_path / "calibrations")
    return tmp_path / "calibrations"


@pytest.mark.parametrize("shape", [NANO.shape, UNNAMED])
def test_a_checkpoint_is_calibrated_whatever_its_shape(folder, shape):
    checkpoint = random_checkpoint(shape, 1)
    plain = NANO if shape == NANO.shape else Config(name="custom", shape=shape)
    expected = calibrated(checkpoint, plain)
    assert config_for(checkpoint) == expected == config_for(checkpoint, numerics="calibrated")
    assert config_for(checkpoint, lanes=16) == expected.with_lanes(16)
    int8 = config_for(checkpoint, numerics="int8").numerics
    assert int8 == dataclasses.replace(expected.numerics, weight_bits=8)
    large = random_checkpoint(shape, 1, scale=8.0)
    assert config_for(large).numerics.residual.i > expected.numerics.residual.i


def test_a_calibration_is_remembered_by_the_content(folder):
    begun: list[int] = []
    checkpoint = random_checkpoint(UNNAMED, 1)

    def look(checkpoint, positions=3):
        def begin():
            begun.append(positions)
            return lambda done: None

        return ranges_of(checkpoint, positions, content_hash(checkpoint), begin)

    first = look(checkpoint)
    assert look(random_checkpoint(UNNAMED, 1)) == first and begun == [3]
    assert look(checkpoint, 4) != first and begun == [3, 4]
    assert look(random_checkpoint(UNNAMED, 2)) != first and begun == [3, 4, 3]
    for path in folder.iterdir():
        path.write_text("{damaged")
    assert look(checkpoint) == first and len(begun) == 4


def test_positions_are_bounded():
    assert positions_for(random_checkpoint(NANO.shape, 1)) == NANO.shape.seq_len
    long = random_checkpoint(dataclasses.replace(NANO.shape, seq_len=4096), 1)
    assert positions_for(long) == MOST_POSITIONS


def test_unknown_numerics_are_refused():
    with pytest.raises(BadInput, match=f"^numerics = 'bf8' is not one of {', '.join(NUMERICS)}$"):
        config_for(random_checkpoint(NANO.shape, 1), numerics="bf8")


if STORIES:  # the folder is optional

    def test_stories260k_is_what_calibration_chooses():
        checkpoint = load_checkpoint(STORIES[0].model)
        assert config_for(checkpoint) == named("stories260k")
        assert config_for(checkpoint, numerics="calibrated") == named("stories260k")


def test_the_formats_of_the_model_of_the_repository_are_what_calibration_chooses():
    checkpoint = load_checkpoint(DEFAULT)
    assert content_hash(checkpoint) in calibrate.KNOWN
    assert config_for(checkpoint) == config_for(checkpoint, numerics="calibrated")
