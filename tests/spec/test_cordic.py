"""The integers of RoPE by CORDIC against the real functions."""

import dataclasses
import math

import numpy as np
import pytest

from spec import tables
from spec.config import RopeBy, named
from spec.cordic import cordic
from spec.fixed import SQ
from tests.golden.hugging_face import inv_freq
from tests.spec.test_tables import LLAMA3

SHAPES = {
    "nano": named("nano").shape,
    "tales260k": named("tales260k").shape,
    "llama3": LLAMA3,
    "one position": dataclasses.replace(named("nano").shape, seq_len=1),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
formats = pytest.mark.parametrize("form", [SQ(2, 9), SQ(2, 14), SQ(2, 16)], ids=str)


def angles(shape) -> np.ndarray:
    """Radians, position after position, pair after pair."""
    return np.outer(np.arange(shape.seq_len), inv_freq(shape)).ravel()


@every_shape
@formats
def test_every_angle_is_within_seven_tenths_of_the_last_bit(shape, form):
    config = dataclasses.replace(named("nano"), shape=shape)
    numerics = dataclasses.replace(config.numerics, rope=form, rope_by=RopeBy.CORDIC)
    table = tables.rope(config.with_numerics(numerics))
    exact = np.exp(1j * angles(shape)) * form.scale
    error = np.array(table.cos) + 1j * np.array(table.sin) - exact
    assert max(abs(error.real).max(), abs(error.imag).max()) < 0.7
    assert max(map(abs, table.cos + table.sin)) == 1 << form.f  # a factor is at most 1
    assert set(table.cos[: table.pairs]) == {1 << form.f} and not any(table.sin[: table.pairs])


@every_shape
@formats
def test_phases_do_not_drift(shape, form):
    constants = cordic(shape.rope_rates, shape.seq_len, form)
    whole = 1 << constants.phase_bits
    pairs = range(len(constants.steps))
    phases = [constants.phase(pos, pair) for pos in range(shape.seq_len) for pair in pairs]
    turns = np.array(phases) / whole - angles(shape) / (2 * math.pi)
    drift = 2 * math.pi * (turns - np.round(turns)) * form.scale
    assert abs(drift).max() < 1 / 80


@formats
def test_phases_all_around(form):
    """65536 of them, evenly spread: the quadrants meet, and no phase is much worse."""
    constants = cordic((1.0,), 2, form)
    count = 1 << min(constants.phase_bits, 16)
    phases = np.arange(count) * ((1 << constants.phase_bits) // count)
    turned = np.array([constants.turned(int(phase)) for phase in phases])
    radians = 2 * np.pi * phases / (1 << constants.phase_bits)
    exact = np.stack([np.cos(radians), np.sin(radians)], axis=-1) * form.scale
    assert abs(turned - exact).max() < 0.7
