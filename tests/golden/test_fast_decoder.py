"""The fast golden decoder: against `golden.decoder`, in batches, and on a real text."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.calibrate import config_for
from golden.checkpoint import random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.decoder import GoldenDecoder
from golden.fast import attention
from golden.fast.decoder import FixedDecoder, Projection
from golden.generate import generate
from golden.quantise import Rows, quantise
from golden.sampler import Sampler
from golden.tokenizers import tokenizer_of
from spec.config import Config, Numerics, named
from spec.fixed import SQ, Rounding
from spec.schedule import Op
from tests.fuzz.strategies import cases, models
from tests.strategies import NUMERICS, configs
from tools.errors import BadInput

NANO = named("nano")


def model_of(numerics: Numerics, seed: int, scale: float = 1.0):
    checkpoint = random_checkpoint(NANO.shape, seed, scale=scale, shared=False)
    return quantise(checkpoint, NANO.with_numerics(numerics))


def check_against_integers(model, tokens):
    golden, slow = FixedDecoder(model), GoldenDecoder(model)
    for token in tokens:
        golden.step(np.array([token]), trace=True)
        expected = slow.step(token)
        assert golden.trace.keys() == expected.keys()
        for tensor, values in expected.items():
            assert golden.trace[tensor].tolist() == values, tensor


@pytest.mark.parametrize("scale", [1.0, 6.0])  # the larger one saturates
@pytest.mark.parametrize("numerics", NUMERICS.values(), ids=list(NUMERICS))
def test_nano_against_plain_integers(numerics, scale):
    check_against_integers(model_of(numerics, 5, scale), [1, 15, 0, 3, 3, 9, 2, 8])


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(
    ("q", "score"),
    [
        (SQ(6, 10), SQ(2, 10)),  # nearly every score saturates
        (SQ(12, 4), SQ(20, 12)),  # 33-bit sums, shifted right by two
        (SQ(14, 2), SQ(20, 12)),  # not shifted
    ],
    ids=["narrow", "wide", "unshifted"],
)
def test_scores_of_any_width(q, score, rounding):
    numerics = Numerics(q=q, score=score, rounding=rounding)
    check_against_integers(model_of(numerics, 5, 6.0), [1, 15, 0, 3, 3, 9, 2, 8])


@settings(max_examples=max(5, settings.default.max_examples // 3))  # type: ignore[union-attr]
@given(st.data())
def test_any_model_against_plain_integers(data):
    config = data.draw(configs())
    model = data.draw(models(config))
    case = data.draw(cases(config, st.just(1)))
    check_against_integers(model, list(case.prompt))


@pytest.mark.parametrize("name", NUMERICS)
def test_sums_beyond_float64_are_as_exact(name, monkeypatch):
    monkeypatch.setattr(Projection, "too_large", lambda self, x: True)
    check_against_integers(model_of(NUMERICS[name], 5, 6.0), [1, 15, 0, 3])


def test_the_largest_operand_that_float64_sums():
    config = NANO.with_numerics(Numerics(residual=SQ(2, 30), weight_bits=8))
    rows = Rows(np.array([[3, -5, 0], [127, -128, 127]] * 4), np.arange(8))
    projection = Projection(config, Op.WO, rows)
    assert projection.largest == (1 << 52) // (127 + 128 + 127)
    assert not projection.too_large(np.array([[1, 1 - (1 << 60), 1]]))  # no such sum is that long
    shape = dataclasses.replace(NANO.shape, hidden=1 << 14)
    config = Config(name="wide", shape=shape, numerics=Numerics(ffn=SQ(5, 27), silu=SQ(1, 17)))
    projection = Projection(config, Op.WO, rows)
    assert not projection.too_large(np.array([[projection.largest, 1, 1]]))
    assert projection.too_large(np.array([[1, -projection.largest - 1, 1]]))


def test_rows_of_zeros_give_zeros():
    # Their shift is the largest possible.
    checkpoint = random_checkpoint(NANO.shape, 1)
    weights = checkpoint.weights | {"wo": np.zeros_like(checkpoint.weights["wo"])}
    model = quantise(dataclasses.replace(checkpoint, weights=weights), NANO)
    check_against_integers(model, [1, 2])


@pytest.mark.parametrize("numerics", NUMERICS.values(), ids=list(NUMERICS))
def test_a_batch_is_as_many_single_runs(numerics):
    model, batch = model_of(numerics, 2), 5
    tokens = np.random.default_rng(0).integers(0, NANO.shape.vocab, (NANO.shape.seq_len, batch))
    together = FixedDecoder(model, batch)
    alone = [FixedDecoder(model) for _ in range(batch)]
    for row in tokens:
        logits = together.step(row, trace=True)
        single = [one.step(row[n : n + 1], trace=True) for n, one in enumerate(alone)]
        np.testing.assert_array_equal(logits, np.concatenate(single))
        for tensor, values in alone[0].trace.items():
            np.testing.assert_array_equal(together.trace[tensor], values)


def test_room_changes_nothing(monkeypatch):
    model, batch = model_of(Numerics(), 2), 5
    tokens = np.random.default_rng(0).integers(0, NANO.shape.vocab, (NANO.shape.seq_len, batch))
    expected = FixedDecoder(model, batch)
    monkeypatch.setattr(attention, "FIRST_ROOM", 1)  # it doubles three times
    decoder = FixedDecoder(model, batch)
    for _ in range(2):  # a reset frees the capacity
        expected.reset()
        decoder.reset()
        for row in tokens:
            np.testing.assert_array_equal(
                decoder.step(row, trace=True), expected.step(row, trace=True)
            )
            for tensor, values in expected.trace.items():
                np.testing.assert_array_equal(decoder.trace[tensor], values)


def test_reset_forgets():
    decoder = FixedDecoder(model_of(Numerics(), 1), 2)
    first = [decoder.step(np.array(row)) for row in ([1, 2], [3, 4])]
    decoder.step(np.array([5, 6]))
    decoder.reset()
    np.testing.assert_array_equal([decoder.step(np.array(row)) for row in ([1, 2], [3, 4])], first)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([1, 16], "^token id 16 is not below vocab = 16$"),
        ([-1, 2], "^token id -1 is not below vocab = 16$"),
        ([1], r"^tokens have shape \(1,\), expected \(2,\)$"),
    ],
)
def test_tokens_are_refused(tokens, message):
    with pytest.raises(BadInput, match=message):
        FixedDecoder(model_of(Numerics(), 1), 2).step(np.array(tokens))


def test_a_step_beyond_the_context_is_refused():
    decoder = FixedDecoder(model_of(Numerics(), 1))
    for _ in range(NANO.shape.seq_len):
        decoder.step(np.array([1]))
    with pytest.raises(BadInput, match=r"^position 8 is beyond seq_len = 8$"):
        decoder.step(np.array([1]))


@pytest.mark.parametrize(
    ("changed", "width", "lead"),
    [
        (dict(shape=dataclasses.replace(NANO.shape, hidden=1 << 40)), 72, 0),
        (dict(numerics=Numerics(up=SQ(-30, 46))), 37, 31),
    ],
)
def test_sums_beyond_exact_numbers_are_refused(changed, width, lead):
    model = model_of(Numerics(), 1)
    message = (
        f"^configuration 'nano' needs {width}-bit accumulators and shifts them left by {lead} bits;"
    )
    with pytest.raises(BadInput, match=message):
        config = dataclasses.replace(model.config, **changed)
        FixedDecoder(dataclasses.replace(model, config=config))


def test_scores_beyond_exact_numbers_are_refused():
    model = model_of(Numerics(q=SQ(-21, 37), k=SQ(-21, 37)), 1)
    message = "^configuration 'nano' shifts 33-bit scores right by 64 bits; .* exact up to 62$"
    with pytest.raises(BadInput, match=message):
        FixedDecoder(model)


def test_a_known_model_writes_its_text(known):
    checkpoint = load_checkpoint(known.model)
    tokenizer = tokenizer_of(known.model, checkpoint.shape.vocab)
    decoder = FixedDecoder(quantise(checkpoint, config_for(checkpoint)))
    greedy = Sampler(checkpoint.shape.vocab, temperature=0)

    def step(token: int) -> np.ndarray:
        return decoder.step(np.array([token]))[0].astype(np.float64)

    ids = [1, *generate(step, [1], known.steps, greedy.sample, checkpoint.shape)]
    assert tuple(ids[: len(known.first)]) == known.first
    assert tokenizer.decode_all(ids) == known.text
