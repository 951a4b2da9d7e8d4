"""Who generates in fixed point hears of values that did not fit; float needs no formats."""

import dataclasses

import numpy as np
import pytest
from click.testing import CliRunner

from golden import calibrate
from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c
from golden.quantise import quantise
from sim import models, replay
from sim.__main__ import main
from sim.saturated import CHECKED, warning
from spec.config import Numerics, named
from spec.fixed import SQ

NANO = named("nano")
CLIPPED = dataclasses.replace(Numerics(), gate=SQ(1, 15))


def test_values_that_saturate_are_reported_in_words():
    checkpoint = random_checkpoint(NANO.shape, 5)
    assert warning(checkpoint, quantise(checkpoint, NANO), [1, 2]) == ""
    words = warning(checkpoint, quantise(checkpoint, NANO.with_numerics(CLIPPED)), [1, 2])
    assert "of gate; KL to float is " in words and words.endswith("in the first 2 tokens")
    # With other weights nothing saturates, but the logits differ.
    other = quantise(random_checkpoint(NANO.shape, 6), NANO)
    words = warning(checkpoint, other, [1] * (CHECKED // 8))
    assert words.startswith("KL to float is ") and words.endswith("in the first 4 tokens")
    assert CHECKED >= 2


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(calibrate, "FOLDER", tmp_path / "calibrations")
    llama2c.write(tmp_path / "model.bin", random_checkpoint(NANO.shape, 5))
    raw = (8).to_bytes(4, "little")
    for token in range(NANO.shape.vocab):
        piece = b"t%d" % token
        raw += bytes(4) + len(piece).to_bytes(4, "little") + piece
    (tmp_path / "tok.bin").write_bytes(raw)
    return tmp_path


def generate(files, backend):
    arguments = ["generate", files / "model.bin", "--tokenizer", files / "tok.bin", "--ids"]
    arguments += ["--steps", 4, "--backend", backend]
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_generate_warns(files, monkeypatch):
    assert "warning" not in generate(files, "fixed").stderr
    clipped = NANO.with_numerics(CLIPPED)
    monkeypatch.setattr(models, "config_for", lambda *_, **__: clipped)
    result = generate(files, "fixed")
    assert result.exit_code == 0
    assert "warning: " in result.stderr and "of gate" in result.stderr


def test_float_is_not_calibrated(files):
    assert generate(files, "float").exit_code == 0
    assert not (files / "calibrations").exists()
    assert generate(files, "fixed").exit_code == 0
    assert (files / "calibrations").exists()


def test_compare_counts_what_golden_saw(monkeypatch):
    class Decoder:
        def __init__(self, *_, **__): ...
        def __enter__(self):
            return self

        def __exit__(self, *error): ...

    def compare(golden, rtl, host):
        golden.step(np.array([next(host).token]))
        yield _Progress()

    monkeypatch.setattr(replay, "RtlDecoder", Decoder)
    monkeypatch.setattr(replay, "compare", compare)
    model = quantise(random_checkpoint(NANO.shape, 5), NANO.with_numerics(CLIPPED))
    run = replay.run_case(model, replay.Case((1,), 1, None), "traced")
    assert "of gate" in run.saturation.sentence()


class _Progress:
    feed, position, values, difference = None, 0, 0, None
