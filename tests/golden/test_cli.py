"""``python -m golden`` as a user runs it: output, files and errors."""

import dataclasses
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from golden.__main__ import main
from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c, load_checkpoint
from golden.fast.attention import _interrupts_later
from golden.float_decoder import FloatDecoder
from golden.image import load, pack
from golden.quantise import quantise
from spec.config import Shape, named
from tools.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
NANO = named("nano")
UNNAMED = Shape(dim=8, hidden=10, layers=1, heads=2, kv_heads=1, vocab=12, seq_len=6)


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "nano.bin"
    llama2c.write(path, random_checkpoint(NANO.shape, 1), version=0)
    return path


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments) -> str:
    """The error message of a refused command."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize("command", [[], ["calibrate"], ["quantise"], ["accuracy"]])
def test_help(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_as_a_module():
    command = [sys.executable, "-m", "golden", "--help"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("Usage: python -m golden ")
    assert not result.stderr


@pytest.mark.parametrize("more", [[], ["--lanes", "16"], ["--numerics", "int8"]])
def test_quantise_writes_the_same_image_twice(tmp_path, checkpoint, more):
    paths = [tmp_path / name for name in ("first", "second")]
    for path in paths:
        result = run("quantise", checkpoint, "-o", path, *more)
        assert result.exit_code == 0, result.output
        assert result.stdout == ""
    assert paths[0].read_bytes() == paths[1].read_bytes()
    config, image = load(paths[0])
    assert config.shape == NANO.shape
    assert config.geometry.lanes == (16 if "--lanes" in more else 4)
    expected = pack(quantise(random_checkpoint(NANO.shape, 1), config))
    assert image.tolist() == expected.tolist()


def test_quantise_calibrates_an_unnamed_shape(tmp_path):
    path = tmp_path / "model.bin"
    llama2c.write(path, random_checkpoint(UNNAMED, 1), version=1)
    result = run("quantise", path, "-o", tmp_path / "image")
    assert result.exit_code == 0
    assert "custom, 8 lanes, 16-bit weights, calibrated formats" in " ".join(result.stderr.split())
    config, _ = load(tmp_path / "image")
    assert (config.name, config.shape) == ("custom", UNNAMED)


def test_calibrate_prints_every_format(checkpoint):
    result = run("calibrate", checkpoint, "--steps", 4)
    assert result.exit_code == 0
    for name in ("residual", "q", "attention", "logits"):
        assert name in result.stdout
    assert "SQ(" in result.stdout


def test_accuracy_in_tables_and_in_json(checkpoint):
    result = run("accuracy", checkpoint, "--steps", 6)
    assert result.exit_code == 0
    assert "KL mean" in result.stdout and "worst error" in result.stdout
    result = run("accuracy", checkpoint, "--steps", 6, "--json")
    assert result.exit_code == 0
    values = json.loads(result.stdout)
    assert values["steps"] == 6
    assert values["kl_mean"] <= values["kl_max"] < 0.01
    assert values["tensors"]["logits"].keys() == {"worst", "largest"}


def test_what_is_refused(tmp_path, checkpoint):
    before = sorted(tmp_path.iterdir())
    missing, image = tmp_path / "none.bin", tmp_path / "image"
    assert "none.bin: cannot be read" in refused("calibrate", missing)
    assert "none.bin: cannot be read" in refused("quantise", missing, "-o", image)
    assert "--steps = 9 must be 1 to 8" in refused("calibrate", checkpoint, "--steps", 9)
    assert "--steps = 0 must be 1 to 8" in refused("accuracy", checkpoint, "--steps", 0)
    assert "--steps = 256 must be 1 to 8" in refused("accuracy", checkpoint)
    assert "'3' is not one of" in refused("quantise", checkpoint, "-o", image, "--lanes", "3")
    assert "'spline' is not" in refused("quantise", checkpoint, "-o", image, "--rope", "spline")
    assert "Missing option" in refused("quantise", checkpoint)
    assert "No such command" in refused("prove")
    assert "No such option" in refused("accuracy", checkpoint, "--fast")
    assert "'--steps': 'x' is not" in refused("accuracy", checkpoint, "--steps", "x")
    assert " is a folder, not a file" in refused("quantise", checkpoint, "-o", tmp_path)
    nowhere = tmp_path / "no" / "image"
    assert " does not exist" in refused("quantise", checkpoint, "-o", nowhere)
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_checkpoint_leaves_the_old_image(tmp_path, checkpoint):
    image = tmp_path / "image"
    image.write_bytes(b"precious")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5])
    assert "nano.bin: " in refused("quantise", checkpoint, "-o", image)
    assert image.read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == sorted([image, checkpoint])


def test_no_traceback_from_the_real_command(tmp_path):
    command = [sys.executable, "-m", "golden", "accuracy", str(tmp_path / "none.bin")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1


def test_a_size_that_no_machine_holds_is_refused(tmp_path):
    """A file may say any context; nothing of that size is begun."""
    path = tmp_path / "model.bin"
    shape = dataclasses.replace(UNNAMED, seq_len=6)
    llama2c.write(path, random_checkpoint(shape, 1), version=1)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<i", raw, 8 + 4 * 6, 2**31 - 1)
    path.write_bytes(raw)
    assert load_checkpoint(path).shape.seq_len == 2**31 - 1
    with pytest.raises(BadInput, match=r"the float decoder of Shape\(.* needs .* GB of memory"):
        FloatDecoder(load_checkpoint(path))
    with pytest.raises(BadInput, match=r"a model of Shape\(.*vocab=2000000000.* needs"):
        random_checkpoint(dataclasses.replace(shape, vocab=2 * 10**9), 1)


def test_an_interrupt_waits_for_the_compiler():
    """In a callback from LLVM, Python drops exceptions."""
    with pytest.raises(KeyboardInterrupt), _interrupts_later():
        os.kill(os.getpid(), signal.SIGINT)
        done = True
    assert done


def test_numba_needs_no_folder_of_its_own():
    code = "import golden.fast.attention"
    nowhere = os.environ | {"NUMBA_CACHE_DIR": "/proc/nowhere"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=nowhere, check=True)
