"""The accuracy measurement: exactly zero where it must be, larger for coarser numerics."""

import dataclasses
import math

import numpy as np
import pytest

from golden.accuracy import measure
from golden.calibrate import calibrated, config_for
from golden.checkpoint import random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder
from golden.quantise import quantise
from spec.config import Config, Numerics, named
from spec.fixed import SQ
from spec.shape import Shape
from tests.golden.features import FEATURES, SIZES
from tests.strategies import NUMERICS

NANO = named("nano")


def measured(numerics, seed: int = 3, **more):
    checkpoint = random_checkpoint(NANO.shape, seed)
    config = NANO.with_numerics(numerics)
    return measure(checkpoint, quantise(checkpoint, config), NANO.shape.seq_len, **more)


def test_wide_formats_are_close_and_narrow_ones_are_not():
    wide, narrow = measured(NUMERICS["wide"]), measured(NUMERICS["narrow"])
    assert 0 < wide.kl_mean <= wide.kl_max < 1e-5
    assert wide.kl_mean < narrow.kl_mean / 10
    assert abs(math.log(wide.perplexity_ratio)) < abs(math.log(narrow.perplexity_ratio))
    assert wide.first_mismatch is None
    assert wide.tensors.keys() == narrow.tensors.keys()
    for name, error in wide.tensors.items():
        assert error.worst < 0.01 * max(1, error.largest), name
        assert error.largest == narrow.tensors[name].largest
    assert sum(e.worst for e in wide.tensors.values()) < sum(
        e.worst for e in narrow.tensors.values()
    )


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_is_close(feature):
    # Only rounding differs between golden and float, so the error is small.
    shape = Shape(**SIZES, **FEATURES[feature])
    checkpoint = random_checkpoint(shape, 3)
    config = Config(name="feature", shape=shape, numerics=NUMERICS["wide"])
    config = calibrated(checkpoint, config)
    result = measure(checkpoint, quantise(checkpoint, config), shape.seq_len)
    assert result.kl_max < 1e-5
    for name, error in result.tensors.items():
        assert error.worst < 0.01 * max(1, error.largest), name


@pytest.mark.parametrize("gained", ["v_gains", "up_gains"])
@pytest.mark.parametrize("biased", [False, True])
def test_a_layer_with_gains_is_finer_and_means_the_same(gained, biased):
    # Every layer has two spare integer bits; the second uses them for its fraction.
    coarse = Numerics(v=SQ(6, 8), attention=SQ(5, 9), up=SQ(7, 7), ffn=SQ(7, 9))
    shape = dataclasses.replace(NANO.shape, qkv_bias=biased)
    checkpoint = random_checkpoint(shape, 3)

    def errors(numerics):
        config = dataclasses.replace(NANO, shape=shape, numerics=numerics)
        return measure(checkpoint, quantise(checkpoint, config), 6).tensors

    plain = errors(coarse)
    finer = errors(dataclasses.replace(coarse, **{gained: (2, 2)}))
    for name, error in finer.items():
        assert error.worst < 0.05 * max(1, error.largest), name
    name = gained.removesuffix("_gains")
    assert finer[name].worst < 0.9 * plain[name].worst
    assert errors(dataclasses.replace(coarse, **{gained: (0, 2)}))[name].worst > finer[name].worst


def test_largest_values_are_those_of_the_float_decoder():
    checkpoint = random_checkpoint(NANO.shape, 3)
    result = measure(checkpoint, quantise(checkpoint, NANO), 4)
    reference, token, largest = FloatDecoder(checkpoint), 1, 0.0
    for _ in range(4):
        (logits,) = reference.step([token])
        token = int(logits.argmax())
        largest = max(largest, np.abs(logits).max())
    assert result.tensors["logits"].largest == largest
    assert result.steps == 4


def test_a_wrong_model_is_seen():
    checkpoint, other = (random_checkpoint(NANO.shape, seed) for seed in (3, 4))
    steps: list[int] = []
    result = measure(checkpoint, quantise(other, NANO), 8, progress=steps.append)
    assert result.first_mismatch is not None
    assert result.kl_mean > 0.1 and result.perplexity_ratio > 1
    assert steps == list(range(1, 9))


def test_a_known_model(known):
    checkpoint = load_checkpoint(known.model)
    config = calibrated(checkpoint, config_for(checkpoint), 64)
    result = measure(checkpoint, quantise(checkpoint, config), 64)
    assert result.first_mismatch is None
    assert result.kl_max < 1e-3
    assert abs(result.perplexity_ratio - 1) < 1e-3
