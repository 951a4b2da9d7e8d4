"""The real checkpoint in compiled RTL: its text byte for byte, its values bit for bit."""

import json

import pytest
from click.testing import CliRunner

from sim.__main__ import main
from tests.story import FIRST_IDS, TEXT


@pytest.fixture
def files(data_folder):
    return [str(data_folder / "stories260K.bin"), "--tokenizer", str(data_folder / "tok512.bin")]


def run(*arguments: str):
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def test_the_rtl_tells_the_story(files, tmp_path):
    stats = tmp_path / "stats.json"
    options = ["--steps", "200", "--temperature", "0", "--backend", "rtl", "--lanes", "64"]
    assert run("generate", *files, *options, "--stats", str(stats)).stdout_bytes == TEXT
    figures = json.loads(stats.read_text())
    assert (figures["tokens"], figures["lanes"], figures["multipliers"]) == (200, 64, 67)
    # Weights, and attention over 1 to 200 positions, of every token.
    assert figures["macs"] == 200 * 259_328 + 640 * sum(range(1, 201))
    assert figures["array_utilisation"] == figures["macs"] / (64 * figures["cycles"]) >= 0.6

    options = ["--steps", "19", "--backend", "rtl", "--lanes", "64", "--temperature", "0", "--ids"]
    assert json.loads(run("generate", *files, *options).stdout) == FIRST_IDS


def test_every_value_of_some_tokens_under_stalls(files):
    result = run("compare", *files, "--steps", "6", "--lanes", "64", "--stalls", "11")
    assert "no difference" in result.output
