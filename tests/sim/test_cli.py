"""Bad input at the command line: one sentence, exit code 2, nothing written."""

import subprocess
import sys
from pathlib import Path

import pytest

from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c
from sim.models import random_model
from spec.config import RopeBy

ROOT = Path(__file__).parents[2]
SIZES = "8,12,2,4,2,300,16"
ROPES = ("one of " if len(RopeBy) > 1 else "") + ", ".join(repr(each.value) for each in RopeBy)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small checkpoint and its tokenizer of 300 tokens."""
    folder = tmp_path_factory.mktemp("model")
    llama2c.write(folder / "model.bin", random_checkpoint(random_model(SIZES, 1).shape, 1))
    raw = (8).to_bytes(4, "little")
    for token in range(300):
        piece = b"<0x%02X>" % (token - 3) if 3 <= token < 259 else b"t%d" % token
        raw += bytes(4) + len(piece).to_bytes(4, "little") + piece
    (folder / "tok.bin").write_bytes(raw)
    (folder / "short.bin").write_bytes(raw[:-3])
    return folder


def _run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "sim", *(text.format(folder) for text in arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


GENERATE = ("generate", "{0}/model.bin", "--tokenizer", "{0}/tok.bin", "--backend", "fixed")
COMPARE = ("compare", "{0}/model.bin", "--tokenizer", "{0}/tok.bin")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*GENERATE, "--steps", "0"), "--steps = 0"),
        ((*GENERATE, "--steps", "17"), "--steps = 17 must be 1 to seq_len = 16"),
        ((*GENERATE, "--prompt", "x" * 40), "--prompt has"),
        ((*GENERATE, "--config", "nano"), "--config = 'nano'"),
        ((*GENERATE, "--lanes", "3"), "'3' is not one of"),
        ((*GENERATE, "--rope", "spline"), f"'--rope': 'spline' is not {ROPES}"),
        ((*GENERATE, "--stats", "{0}/nowhere/s.json"), "--stats = "),
        ((*GENERATE, "--temperature", "-1"), "temperature = -1.0"),
        (("generate", "{0}/none.bin", "--tokenizer", "{0}/tok.bin"), "none.bin"),
        (("generate", "{0}/model.bin", "--tokenizer", "{0}/short.bin"), "short.bin"),
        (("generate", "{0}/model.bin", "--tokenizer", "{0}/model.bin"), "model.bin"),
        ((*COMPARE, "--vcd", "{0}/nowhere/w.vcd"), "--vcd = "),
        ((*COMPARE, "--vcd", "{0}/w.vcd", "--from", "5", "--to", "2"), "from 5 to 2 is empty"),
        ((*COMPARE, "--vcd", "{0}/w.vcd", "--steps", "4", "--to", "4"), "--to = 4"),
        ((*COMPARE, "--random", SIZES), "name either MODEL = "),
        (("compare", "--random", SIZES, "--prompt", "x"), "a random model has no tokenizer"),
        (("generate", "{0}/model.bin", "--prompt", "x"), "has no tokenizer.json"),
        ((*GENERATE, "--chat"), "--chat needs a --prompt"),
        ((*GENERATE, "--chat", "--prompt", "x"), "no chat template"),
        (("compare", "--random", "1,2,3"), "--random = '1,2,3'"),
        (("compare", "--random", "8,12,2,3,2,16,8"), "heads = 3"),
    ],
)
def test_one_sentence_and_exit_code_2(files, arguments, words):
    before = sorted(files.iterdir())
    result = _run(files, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    assert sorted(files.iterdir()) == before


def test_ids_need_no_tokenizer(files):
    result = _run(files, "generate", "{0}/model.bin", "--backend", "float", "--steps", "3", "--ids")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("[1, ")


def test_ids_are_one_json_list(files):
    result = _run(files, *GENERATE, "--steps", "3", "--ids", "--stats", "{0}/stats.json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("[1")
    assert result.stdout.count("\n") == 1
    assert '"cycles": null' in (files / "stats.json").read_text()
