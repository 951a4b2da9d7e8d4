"""The cycle model against hand counts and a simulation, the laws, the limits, and the command."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.growth import command, cycles, fit, limits, page, plots, sheets, sweep
from benchmarks.growth.cycles import Latencies, Stage, stages, token_cycles
from benchmarks.growth.limits import Memory
from spec.config import CONFIGS, named
from spec.schedule import image
from tools.errors import BadInput

NONE = Latencies(residual=0, rope=0, softmax=0, reciprocal=0, attention=0, swiglu=0, ends=0)
SOME = Latencies(residual=4, rope=14, softmax=7, reciprocal=8, attention=12, swiglu=14, ends=14)
NANO = named("nano")


def beats(config, pos):
    return sum(stage.beats for stage in stages(config, pos, SOME))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("pos", [0, 5])
def test_the_beats_are_those_of_the_image_and_of_attention(name, pos):
    config = CONFIGS[name]
    layout = image(config)
    listed = list(stages(config, pos, SOME))
    weights = [stage for stage in listed if stage.name not in ("SCORE", "VALUE")]
    assert sum(stage.beats for stage in weights) == (
        layout.embedding_beats + layout.body_beats + layout.classifier_beats
    )
    assert token_cycles(config, pos, NONE) >= beats(config, pos)


def test_the_stages_of_nano():
    # dim 8, hidden 12, 4 heads, 2 KV heads on 4 lanes: 4 slots, a lane each.
    listed = list(stages(NANO, 2, SOME))
    layer = ["QKV", "SCORE", "VALUE", "WO", "W13", "W2"]
    assert [stage.name for stage in listed] == ["EMBED", *layer, *layer, "CLS"]
    score, value = listed[2], listed[3]
    assert (score.beats, score.first, score.results, score.last) == (3 * 2, 2, 3, 1)
    assert (value.beats, value.first, value.results) == (2 * 3, 3 + SOME.reciprocal, 2 * 4)
    assert listed[6].handover == 2  # the second layer begins a cycle later
    assert listed[-2].handover == 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Latencies)])
def test_no_latency_makes_a_token_faster(field):
    config = named("stories260k").with_lanes(64)
    longer = dataclasses.replace(SOME, **{field: getattr(SOME, field) + 400})
    assert token_cycles(config, 9, longer) > token_cycles(config, 9, SOME)


def test_the_model_finds_the_latencies_that_made_the_cycles():
    configs = [sweep.AXES["lanes"][lanes] for lanes in (8, 64)]
    tokens = [
        fit.Token(config, pos, token_cycles(config, pos, SOME))
        for config in configs
        for pos in (0, 7, 31)
    ]
    latencies = fit.latencies(tokens)
    assert all(fit.error(token, latencies) == pytest.approx(0, abs=1e-3) for token in tokens)


def test_the_model_meets_simulation():
    config = sweep.config(dim=32, layers=1, context=8, lanes=8)
    measured = sweep.measure(config)
    assert len(measured.cycles) == 8
    assert measured.golden_tokens_per_s > 0
    tokens = fit.samples(config, measured.cycles)
    assert [token.pos for token in tokens] == [0, 1, 3, 7]
    assert max(abs(fit.error(token, fit.latencies(tokens))) for token in tokens) < 0.02
    assert json.dumps(sweep.as_json(measured))


@pytest.mark.parametrize(
    ("make", "exponent", "text"),
    [
        (lambda x: 3 * x**1.5, 1.5, "3 x^1.50"),
        (lambda x: 10 + 2 * x, 1, "10 + 2 x"),
        (lambda x: 100 - 2 * x, 1, "100 - 2 x"),
    ],
)
def test_laws(make, exponent, text):
    x = np.array([1.0, 2, 4, 8])
    law = fit.law(x, make(x))
    assert law.exponent == pytest.approx(exponent)
    assert law.r2 == pytest.approx(1)
    assert str(law) == text
    assert law(x) == pytest.approx(make(x))


def test_a_slow_memory_paces_the_beats():
    stage = Stage(name="WO", beats=100, first=10, results=50, last=5, most=5, bits=6400)
    assert stage.paced(64) == stage
    assert stage.paced(math.inf) == stage
    slow = stage.paced(32)
    assert (slow.beats, slow.first, slow.results) == (200, 20, 50)


@pytest.mark.parametrize(
    ("lanes", "bandwidth", "limit"),
    [
        (64, 400, limits.ARRAY),
        (1024, 4, limits.WEIGHTS),
        (16384, 1e6, limits.DRAIN),
    ],
)
def test_what_limits_7b(lanes, bandwidth, limit):
    config = limits.imagined(named("llama2_7b"), lanes, 16)
    outlook = limits.outlook(config, 2047, Memory(bandwidth=bandwidth, mhz=100), SOME)
    assert outlook.limit == limit
    assert sum(outlook.shares.values()) == pytest.approx(1)


def test_keys_and_values_can_be_the_limit():
    shape = dataclasses.replace(named("nano").shape, seq_len=4096)
    config = dataclasses.replace(NANO, shape=shape)
    outlook = limits.outlook(config, 4095, Memory(bandwidth=1e-3, mhz=100), SOME)
    assert outlook.limit == limits.KV


def test_the_bytes_of_7b():
    config = limits.imagined(named("llama2_7b"), 128, 16)
    weights, kv = limits.bytes_read(config, 4095, SOME)
    assert weights == pytest.approx(2 * 6.6e9, rel=0.01)  # but for the embedding of other tokens
    assert kv == 2 * 2 * 32 * 4096 * 4096


def test_a_balanced_memory():
    # 1.6 GB/s at 100 MHz are 16 bytes a cycle.
    assert limits.balanced_lanes(Memory(bandwidth=1.6, mhz=100), 16) == pytest.approx(8)


@pytest.mark.parametrize("lanes", [0, 3, -8])
def test_imagined_lanes_are_a_power_of_two(lanes):
    with pytest.raises(BadInput, match=f"lanes = {lanes} must be a power of two"):
        limits.imagined(NANO, lanes, 16)


def test_a_page_is_filled_in_its_places(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- growth x -->\nold\n<!-- end -->\nb\n<!-- growth y -->\n<!-- end -->\n")
    for _ in range(2):
        page.fill(path, {"x": "new", "y": "other"})
        assert path.read_text() == (
            "a\n<!-- growth x -->\nnew\n<!-- end -->\nb\n<!-- growth y -->\nother\n<!-- end -->\n"
        )
    with pytest.raises(BadInput, match="has markers for"):
        page.fill(path, {"x": "new"})


def test_a_sheet_in_both_forms():
    sheet = sheets.latency(SOME)
    assert sheet.table().row_count == len(sheet.rows) == 7
    assert sheet.markdown().splitlines()[:2] == ["| latency | cycles |", "| --- | ---: |"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bandwidth", "0"), "--bandwidth 0 must be positive and finite"),
        (("--bandwidth", "4", "--bandwidth", "-1"), "--bandwidth -1 must be positive"),
        (("--bandwidth", "nan"), "--bandwidth nan must be positive"),
        (("--mhz", "inf"), "--mhz inf must be positive and finite"),
        (("--position", "4096"), "--position 4096 must be 0 to 4095"),
        (("--write", "--no-proofs"), "--no-proofs omits one"),
        (("--bandwidth", "fast"), "'fast' is not a valid float"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    result = CliRunner().invoke(main, ["growth", *arguments])
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.fixture
def small(monkeypatch):
    """Two lanes of one small shape in place of all the shapes."""
    axis = {lanes: sweep.config(dim=32, layers=1, context=8, lanes=lanes) for lanes in (8, 16)}
    monkeypatch.setattr(sweep, "AXES", {"lanes": axis})
    monkeypatch.setattr(sweep, "OTHERS", ())


def test_the_command(tmp_path, small):
    pytest.importorskip("matplotlib")
    result = CliRunner().invoke(main, ["growth", "--no-proofs", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "growth.json").read_text())
    assert set(content["growth"]["lanes"]) == set(command.QUANTITIES) - command.APART["lanes"]
    assert len(content["outlook"]) == len(command.MODELS) * 2 * len(command.LANES) * 4
    for plot in ("cycles", "growth", "limits"):
        assert (tmp_path / f"scaling-{plot}.svg").read_text().startswith("<?xml")


def test_plots_are_the_same_each_time(tmp_path):
    pytest.importorskip("matplotlib")
    outlooks = [
        limits.outlook(limits.imagined(named("llama2_7b"), lanes, 16), 0, memory, SOME)
        for memory in (Memory(bandwidth=4, mhz=100),)
        for lanes in (64, 128)
    ]
    for name in ("one.svg", "two.svg"):
        plots.limits(tmp_path / name, outlooks)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_page_has_a_place_for_every_sheet():
    text = (command.ROOT / "docs" / "scaling.md").read_text("utf-8")
    places = re.findall(r"<!-- growth (\w+) -->", text)
    assert places == ["latencies", "cycles", "growth", "balance", "limits"]
    assert cycles.__doc__
