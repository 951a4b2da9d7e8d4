"""A bug planted in the decoder, fuzzed, shrunk, left as a reproducer, and replayed."""

import re

import pytest
from amaranth import Signal
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

import design.decoder
import design.swiglu
import sim.build
from design.requantize import requantize
from design.sequencer import TokenSequencer
from golden.case import Case
from golden.checkpoint import random_checkpoint
from golden.image import load_case, save
from golden.quantise import quantise
from sim.__main__ import main
from sim.observed import ObservedDecoder as RtlUnits
from sim.replay import Run
from spec.config import named
from spec.fixed import Rounding
from tests.fuzz.hosts import HostMachine
from tests.fuzz.reproducer import LEFT, Differs, check, reproducing
from tests.fuzz.strategies import cases, models

NANO = named("nano")


def truncating(value, shift, form, rounding):
    return requantize(value, shift, form, Rounding.TRUNCATE)


@pytest.fixture
def clean_builds(monkeypatch, tmp_path_factory):
    """Builds that nobody else finds in the cache."""
    monkeypatch.setenv("VERIDECODE_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(sim.build, "_built", {})


@pytest.fixture
def planted(clean_builds, monkeypatch):
    """The decoder rounds SiLU wrongly."""
    monkeypatch.setattr(design.swiglu, "requantize", truncating)


def replay(*arguments):
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


def fuzz(folder, ran):
    """Like the tests of tests/fuzz, on nano, that appends every case to `ran`."""

    @settings(database=None, derandomize=True, max_examples=20)
    @given(st.data())
    def run(data):
        model = data.draw(models(NANO))
        case = data.draw(cases(NANO, st.integers(1, 11)))
        ran.append((case, sorted(path.name for path in folder.iterdir())))
        check(model, case)

    with reproducing("test_toy[nano]", folder):
        run()


def test_a_planted_bug_leaves_its_smallest_case(planted, tmp_path):
    folder, ran = tmp_path / "fuzz", []
    folder.mkdir()
    for ending in LEFT:
        (folder / f"test_toy-nano{ending}").write_text("of an earlier run")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(pytest.fail.Exception) as info:
        fuzz(folder, ran)
    message = str(info.value)
    difference = message.splitlines()[0]
    assert "SILU[" in difference

    image, wave, *views = (folder / f"test_toy-nano{ending}" for ending in LEFT)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert all(f": gtkwave {views[0]}\n" in message for view in views)
    assert f": surfer --command-file {views[1]}\n" in message
    shows_the_place(difference, wave, *views)
    assert message.count(str(image)) == 3  # the file, and two commands
    assert f": python -m sim replay {image} --opinions\n" in message
    assert f": {wave}\n" in message and message.endswith(f"python -m sim replay {image}")
    assert all(files == before for _, files in ran), "a case that was shrunk further left a file"
    assert wave.read_text().count("$enddefinitions") == 1
    model, case = load_case(image)
    assert model.config == NANO
    assert case == ran[-1][0]
    assert (len(case.prompt), case.steps, case.stalls) == (1, 1, None), "it was not shrunk"

    wave_again = tmp_path / "again.vcd"
    result = replay(image, "--vcd", wave_again)
    assert result.exit_code == 1, result.output
    assert f"first difference at {difference}\n" in result.stdout
    assert f"waveform of token 0: {wave_again}\n" in result.stdout
    assert wave_again.read_text().count("$enddefinitions") == 1


class Kept(TokenSequencer):
    """A text goes on behind a reset."""

    def __init__(self, config):
        super().__init__(config)
        self.ended = Signal(init=1, reset_less=True)


@pytest.fixture
def planted_reset(clean_builds, monkeypatch):
    """The decoder as it is, unless it is reset."""
    monkeypatch.setattr(design.decoder, "TokenSequencer", Kept)


def test_a_bug_that_only_a_reset_shows_leaves_a_case(planted_reset, monkeypatch, tmp_path):
    rules = settings(
        database=None, derandomize=True, max_examples=20, stateful_step_count=4,
        phases=[Phase.generate],  # the smallest case, of three tokens, would take a minute
    )  # fmt: skip
    recorded = []

    def record(run, path, *, quiet):
        recorded.append((run.case.feeds, path))
        return []

    monkeypatch.setattr(Run, "record_last", record)  # would build once more

    def machine():
        return HostMachine(NANO, lambda run, rtl: None, "quick")

    with pytest.raises(pytest.fail.Exception) as info, reproducing("test_toy", tmp_path):
        run_state_machine_as_test(machine, settings=rules)
    model, case = load_case(tmp_path / "test_toy.safetensors")
    reset, behind = case.feeds[-2:]
    assert reset.reset is not None
    assert not behind.first
    assert recorded == [(case.feeds, tmp_path / "test_toy.vcd")]
    with pytest.raises(Differs) as again:
        check(model, case)
    assert str(again.value) == str(info.value).splitlines()[0]


def shows_the_place(difference, wave, gtkwave, surfer):
    """The sentence names unit, stage, format and cycle; the waveform has both values there, and
    the save files open it there."""
    place = re.search(
        r"layer 0, SILU\[(\d+)\]: golden (-?\d+) \((\S+)\), RTL (-?\d+) \((\S+)\), SQ\(5, 11\);"
        r" stage W13, traced by swiglu in cycle (\d+) of the token, (\d+) since power-on$",
        difference,
    )
    assert place, difference
    element, golden, rtl, cycle, clock = (int(place[n]) for n in (1, 2, 4, 6, 7))
    assert float(place[3]) == pytest.approx(golden / 2**11, rel=1e-4)
    assert cycle == clock, "the first token is offered in the first cycle"
    units = RtlUnits(NANO).units
    (channel,) = [n for n, _ in enumerate(units) if values_at(wave, n, clock)["differs"]]
    assert units[channel] == "swiglu"
    here, before = values_at(wave, channel, clock), values_at(wave, channel, clock - 1)
    assert (here["value"], here["expected"], here["index"]) == (rtl, golden, element)
    assert not before["differs"]
    lines = gtkwave.read_text().splitlines()
    assert lines[1].startswith(f"*-5.000000 {10 * clock} ")
    for name in ("clk", "i_weights_valid", f"compared{channel}.expected[31:0]"):
        assert name in lines
    assert "decoder.swiglu.silu[15:0]" in lines
    assert f"cursor_set {10 * clock}" in surfer.read_text().splitlines()


def values_at(wave, channel, cycle):
    """The signed values of ``compared<channel>`` in a clock cycle."""
    header, _, body = wave.read_text().partition("$enddefinitions $end")
    scope = header.partition(f"$scope module compared{channel} $end")[2].partition("$upscope")[0]
    codes = dict(re.findall(r"\$var wire \d+ (\S+) (\S+) \$end", scope))
    values = {}
    for line in body.splitlines():
        if line.startswith("#"):
            if int(line[1:]) > 10 * cycle:
                break
            continue
        bits, code = line[1:].split() if line.startswith("b") else (line[:1], line[1:])
        if code in codes:
            value = int(bits, 2)
            values[codes[code]] = value - (value >> 31 << 32)
    return values


def test_a_pass_removes_what_an_earlier_run_left(tmp_path):
    for name in ("test_toy-nano.safetensors", "test_toy-nano.vcd", "test_other.vcd"):
        (tmp_path / name).touch()
    with reproducing("test_toy[nano]", tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["test_other.vcd"]


def test_an_error_of_another_kind_removes_nothing(tmp_path):
    (tmp_path / "test_toy.vcd").touch()
    with pytest.raises(ZeroDivisionError), reproducing("test_toy", tmp_path):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["test_toy.vcd"]


@pytest.fixture
def good(tmp_path):
    """A reproducer of nothing."""
    model = quantise(random_checkpoint(NANO.shape, 1), NANO)
    save(tmp_path / "good.safetensors", model, Case((1, 5), 10, stalls=3))
    return tmp_path / "good.safetensors"


def test_no_difference(good, tmp_path):
    result = replay(good, "--vcd", tmp_path / "none.vcd")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("nano, 4 lanes, stalls 3: ")
    assert "s, no difference; RTL 10 tokens, " in result.stdout
    assert list(tmp_path.iterdir()) == [good]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda raw: raw[:-1], "good.safetensors: is not a safetensors file ("),
        (lambda raw: raw.replace(b"steps", b"stops"), "good.safetensors: case is not readable"),
        (lambda raw: raw.replace(b'"case"', b'"cave"'), "good.safetensors: case is missing"),
    ],
)
def test_bad_files_are_one_sentence(good, spoil, words):
    good.write_bytes(spoil(good.read_bytes()))
    assert_refused(replay(good), words)


def test_bad_places_are_one_sentence(good, tmp_path):
    assert_refused(replay(tmp_path / "none"), "none: cannot be read")
    assert_refused(replay(good, "--vcd", tmp_path / "no" / "w.vcd"), "--vcd = ")


def assert_refused(result, words):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert words in result.stderr
