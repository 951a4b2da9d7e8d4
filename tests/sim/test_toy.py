"""The simulation tools, tried on a stand-in for the decoder that builds in seconds."""

import numpy as np
import pytest

from golden.case import Feed, greedy
from sim.build import build
from sim.compare import Flattener, compare, first_difference
from sim.rtl_decoder import RECORD, NoProgress, RtlDecoder, SimulationError
from sim.waves import Window, record
from spec.trace import Tensor
from tests.sim.toy import GoldenToy, Toy, toy_config, toy_image
from tools.errors import BadInput

CONFIG = toy_config()
IMAGE = toy_image(CONFIG)


def _open(variant="fast", stalls=None, bug=None, watchdog=None, config=CONFIG, image=IMAGE):
    return RtlDecoder(config, image, variant, stalls, Toy(config, bug), watchdog, quiet=True)


class GoldenAdapter:
    """`GoldenToy` with the interface of the golden decoder."""

    def __init__(self, prompt=1):
        self.toy = GoldenToy(CONFIG, IMAGE)
        self.prompt = prompt
        self.reset()

    def reset(self):
        self.pos = 0

    def step(self, tokens, *, trace=False):
        sample = self.pos >= self.prompt - 1
        got = self.toy.step(int(tokens[0]), self.pos == 0, sample)
        self.pos += 1
        self.trace = got.trace
        self.macs = self.toy.macs(sample)
        return np.zeros((1, CONFIG.shape.vocab)) if got.logits is None else got.logits[None]

    def products(self, *, classified):
        return self.macs


@pytest.mark.parametrize("stalls", [None, 0, 1, 2, 3])
@pytest.mark.parametrize(("lanes", "bits"), [(4, 16), (1, 8), (64, 8)])
def test_results_do_not_depend_on_stalls(lanes, bits, stalls):
    config = toy_config(lanes, bits)
    image = toy_image(config)
    golden = GoldenToy(config, image)
    with _open(stalls=stalls, config=config, image=image) as rtl:
        token, ended = 5, True
        for step in range(2 * config.shape.seq_len):
            # After the end of a text, only a first token is defined.
            first, sample = ended, step != 2
            expected = golden.step(token, first, sample)
            got = rtl.step(token, first, sample)
            assert got.id == expected.id
            assert np.array_equal(got.logits, expected.logits) or not sample
            token, ended = got.id, got.end


def test_stalls_cost_cycles():
    with _open() as free, _open(stalls=3) as stalled:
        for _ in range(4):
            free.step(5, first=True)
            stalled.step(5, first=True)
        assert stalled.cycles > free.cycles
        assert stalled.macs == free.macs


@pytest.mark.parametrize(
    ("bug", "error", "message"),
    [
        ("stuck", NoProgress, "no progress for 500 cycles"),
        ("drop", SimulationError, "o_logits changed while it was stalled"),
        ("greedy", SimulationError, "o_fetch asked for beats"),
    ],
)
def test_broken_ports_are_found(bug, error, message):
    with _open(stalls=2, bug=bug, watchdog=500) as rtl, pytest.raises(error, match=message):
        for _ in range(20):
            rtl.step(5, first=True)


def test_compare_finds_nothing_in_a_right_design():
    with _open("traced", stalls=1) as rtl:
        progress = list(compare(GoldenAdapter(prompt=2), rtl, greedy((5, 6), 12, CONFIG.shape)))
    assert len(progress) == 12
    assert [step.difference for step in progress] == [None] * 12
    assert progress[0].values == CONFIG.shape.dim
    assert not progress[0].feed.sample


def test_compare_names_the_planted_difference():
    with _open("traced", bug="trace") as rtl:
        difference = list(compare(GoldenAdapter(), rtl, greedy((5,), 3, CONFIG.shape)))[
            -1
        ].difference
    assert (difference.kind, difference.position, difference.token) == ("value", 0, 5)
    assert (difference.tensor, difference.element) == (Tensor.LOGITS, 3)
    assert difference.rtl == difference.golden + 1
    assert str(difference).startswith("position 0 (token 5), LOGITS[3]: golden ")


def _records(*rows):
    return np.array([(tensor.value, *rest) for tensor, *rest in rows], RECORD)


@pytest.mark.parametrize(
    ("rows", "kind", "place"),
    [
        ([(Tensor.Q, 0, 0, 1), (Tensor.Q, 1, 0, 3)], "missing", (0, Tensor.Q, 1)),
        ([(Tensor.Q, 0, n, n + 1) for n in range(3)], "unexpected", (0, Tensor.Q, 2)),
        ([(Tensor.Q, 0, 0, 1)] + [(Tensor.Q, 0, 1, 2)] * 2, "twice", (0, Tensor.Q, 1)),
        ([(Tensor.Q, 0, 0, 9), (Tensor.Q, 0, 1, 2)], "value", (0, Tensor.Q, 0)),
    ],
)
def test_first_difference(rows, kind, place):
    flattener = Flattener(CONFIG)
    golden = flattener.golden({Tensor.Q: np.array([[1, 2], [3, 4]])}, sampled=True)
    difference = first_difference(flattener, golden, flattener.rtl(_records(*rows)), 0, 0)
    assert difference.kind == kind
    assert (difference.layer, difference.tensor, difference.element) == place


def test_scores_are_indexed_by_head_and_position():
    flattener = Flattener(CONFIG)
    scores = np.arange(2 * 4 * 3).reshape(2, 4, 3)  # (layers, heads, pos + 1)
    rows = [
        (Tensor.SCORE, layer, head * 8 + t, scores[layer, head, t])
        for layer in range(2)
        for head in range(4)
        for t in range(3)
    ]
    golden = flattener.golden({Tensor.SCORE: scores}, sampled=True)
    assert first_difference(flattener, golden, flattener.rtl(_records(*rows)), 2, 0) is None


def test_a_waveform_holds_its_window_only(tmp_path):
    path = tmp_path / "window.vcd"
    feeds = [Feed(5, True, True), Feed(6, False, True), Feed(7, False, False)]
    window = Window(path, 1, 1)
    assert record(CONFIG, IMAGE, feeds, window, component=Toy(CONFIG), quiet=True) is None
    with _open() as rtl:
        ends = [rtl.step(5, True).cycles, rtl.step(6, False).cycles]
    text = path.read_text()
    assert "$enddefinitions" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times[0] == 10 * ends[0]
    assert times[-1] == 10 * sum(ends) - 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["window.vcd"]


def test_a_waveform_survives_the_failure_it_shows(tmp_path):
    path = tmp_path / "stuck.vcd"
    feeds = [Feed(5, True, True)]
    stuck = Toy(CONFIG, "stuck")
    failure = record(
        CONFIG, IMAGE, feeds, Window(path, 0, 0), component=stuck, watchdog=100, quiet=True
    )
    assert isinstance(failure, NoProgress)
    assert path.stat().st_size > 1000


def test_builds_are_cached_and_have_no_feedback(tmp_path, monkeypatch):
    monkeypatch.setenv("VERIDECODE_CACHE", str(tmp_path))
    first = build(CONFIG, "fast", Toy(CONFIG), quiet=True)
    again = build(CONFIG, "fast", Toy(CONFIG), quiet=True)
    assert (first.cached, again.cached) == (False, True)
    assert first.feedback == ()
    assert first.library == again.library
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rtl: rtl.step(16), "token id 16 is not below vocab = 16"),
        (lambda rtl: rtl.step(-1), "token id -1"),
        (lambda rtl: [rtl.step(5) for _ in range(9)], "position 8 is beyond seq_len = 8"),
    ],
)
def test_bad_calls_are_refused(call, message):
    with _open() as rtl, pytest.raises(BadInput, match=message):
        call(rtl)


@pytest.mark.parametrize("image", [IMAGE[:-1], IMAGE.astype(np.int8), IMAGE[:, :2]])
def test_a_wrong_image_is_refused(image):
    with pytest.raises(BadInput, match="weight image has shape"):
        _open(image=image)


def test_a_missing_compiler_is_told(monkeypatch):
    from tools import compiler

    compiler.find_compiler.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput, match="CXX = 'no-such-compiler' is not a program"):
        compiler.find_compiler()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="no C\\+\\+ compiler found"):
        compiler.find_compiler()
    compiler.find_compiler.cache_clear()
