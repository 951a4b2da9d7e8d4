"""Bugs planted in the decoder: the comparison finds each, and names the tensor it shows in."""

from typing import Any

import pytest

import design.ports
import sim.rtl_decoder
from benchmarks.utilisation import greedy_steps
from design.decoder import Decoder
from formal.planted import compared
from golden.case import greedy
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import quantise
from sim.compare import Difference, compare
from sim.rtl_decoder import NoProgress, RtlDecoder, SimulationError
from spec.config import CONFIGS, CacheBacking, Config
from spec.trace import Tensor
from tools.planting import PlantedBug, build_under

NANO = CONFIGS["nano"]
EXTERNAL = NANO.with_cache(CacheBacking.EXTERNAL)

#: Each with the configuration, and the position, layer and tensor of the first wrong value.
VALUES = [
    (compared.SILU_TRUNCATED.bug, NANO, (0, 0, Tensor.SILU)),
    # Position 0 has no rotation, and so no rounding.
    (compared.ROTATION_TRUNCATED.bug, NANO, (1, 0, Tensor.Q)),
    (compared.KV_HEAD_0.bug, NANO, (0, 0, Tensor.SCORE)),
    (compared.STORED_TOO_EARLY.bug, EXTERNAL, (0, 0, Tensor.SCORE)),
    (compared.NORM_SHIFTED.bug, NANO, (0, 0, Tensor.QKV_SUM)),
]

FAULTS = [compared.COUNTED_TOO_EARLY.bug, compared.NORM_ASKS_ON.bug]

#: Each with lanes, the counter that it makes lie, and stalls.
COUNTERS = [
    (compared.SUMS_COUNTED, 4, "macs", None),
    (compared.PADDING_COUNTED, 16, "macs", None),
    (compared.CLOCK_EARLY, 4, "cycles", None),
    (compared.CLOCK_STANDS, 4, "cycles", 3),
]

#: Each with what the message of the hang says, in this order.
HANGS = [
    (
        PlantedBug(
            "the residual never counts its elements", "design.activations",
            "ActivationBuffer.elaborate", "self.filled + self.coming", "self.filled",
        ),
        (
            "no progress for 500 cycles",
            "projection is in state Columns",
            "token_sequencer is in state Layers",
            "issue.i: valid high, ready low",
            "issue waits: waiting.kind WEIGHT, waiting.sink QKV, waiting.column 0, ",
            "en 1, blocked 0, residual_filled 0, ",
        ),
    ),
    (
        PlantedBug(
            "the last beat is never fetched", "design.sequencer", "TokenSequencer.elaborate",
            "layout.body_beats + Mux(token.sample, layout.classifier_beats, 0)",
            "layout.body_beats + Mux(token.sample, layout.classifier_beats, 0) - 1",
        ),
        (
            "no progress for 500 cycles",
            "i_weights: ready high, valid low (all that was fetched is taken)",
            "o_token: ready high, valid low",
            "token_sequencer is in state Drain",
            "issue needs_weights: en 0, blocked 0",
        ),
    ),
]  # fmt: skip


def first_difference(
    config: Config,
    bug: PlantedBug | None = None,
    stalls: int | None = None,
    component: Decoder | None = None,
) -> Difference | None:
    """Compare golden with the decoder, under `bug` if one is given, or with `component`."""
    model = quantise(random_checkpoint(config.shape, seed=1), config)
    component = component or build_under(bug, Decoder, config)
    with RtlDecoder(config, pack(model), "quick", stalls, component, quiet=True) as rtl:
        host = greedy((1, 5, 2), config.shape.seq_len, config.shape)
        for progress in compare(FixedDecoder(model), rtl, host):
            if progress.difference is not None:
                return progress.difference
    return None


def _name(value: Any) -> str | None:
    return value.name if isinstance(value, PlantedBug) else None


def test_the_design_as_it_is_has_no_difference():
    assert first_difference(NANO, stalls=3) is None


@pytest.mark.parametrize(("bug", "config", "place"), VALUES, ids=_name)
def test_the_first_wrong_value_is_named(bug, config, place):
    difference = first_difference(config, bug)
    assert difference is not None
    assert difference.kind == "value"
    assert (difference.position, difference.layer, difference.tensor) == place


def test_what_only_stalls_can_show_is_found():
    assert first_difference(NANO, compared.SUMS_TWICE.bug) is None
    assert first_difference(NANO, compared.SUMS_TWICE.bug, stalls=3) is not None


@pytest.mark.parametrize("bug", FAULTS, ids=_name)
def test_a_fault_is_reported(bug):
    difference = first_difference(NANO, bug)
    assert difference is not None
    assert difference.kind == "simulation"
    assert "fault is high" in difference.detail


@pytest.mark.parametrize(("bug", "lanes", "counter", "stalls"), COUNTERS, ids=_name)
def test_a_counter_that_lies_is_named(bug, lanes, counter, stalls):
    difference = first_difference(NANO.with_lanes(lanes), bug, stalls)
    assert difference is not None
    assert (difference.kind, difference.detail, difference.position) == ("counter", counter, 0)
    assert difference.golden != difference.rtl
    assert f"counter {counter}: expected {difference.golden}, RTL {difference.rtl}" in str(
        difference
    )


@pytest.mark.parametrize(("bug", "says"), HANGS, ids=_name)
def test_a_hang_names_what_waits(bug, says):
    image = pack(quantise(random_checkpoint(NANO.shape, seed=1), NANO))
    component = build_under(bug, Decoder, NANO)
    with (
        RtlDecoder(NANO, image, "waves", None, component, watchdog=500, quiet=True) as rtl,
        pytest.raises(NoProgress) as info,
    ):
        rtl.step(1)
    message, at = str(info.value), 0
    for part in says:
        at = message.find(part, at)
        assert at >= 0, f"{part!r} is not in its place in {message}"


def test_a_build_without_waveforms_repeats_the_hang(monkeypatch):
    seen = []
    waits = sim.rtl_decoder.waiting
    monkeypatch.setattr(
        sim.rtl_decoder, "waiting", lambda *of: seen.append(len(of[1])) or waits(*of)
    )
    difference = first_difference(NANO, HANGS[1][0])
    assert difference is not None
    assert (difference.kind, difference.position) == ("simulation", 0)
    assert all(part in difference.detail for part in HANGS[1][1][1:])
    assert seen[0] > 1000, "signals"


def test_no_utilisation_is_published_of_a_counter_that_lies():
    image = pack(quantise(random_checkpoint(NANO.shape, seed=1), NANO))
    component = build_under(compared.SUMS_COUNTED, Decoder, NANO)
    with (
        RtlDecoder(NANO, image, "quick", component=component, quiet=True) as rtl,
        pytest.raises(SimulationError, match="counter macs: expected"),
    ):
        list(greedy_steps(rtl, 3))


class ByTheWay(Decoder):
    """As `compared.SUMS_COUNTED`, with the width of the counters as it is patched."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.sync += self.macs.eq(self.macs + self.array.macs + self.array.o.valid)
        return m


@pytest.mark.parametrize("stalls", [None, 3])
def test_counters_that_wrap_are_compared_as_well(monkeypatch, stalls):
    monkeypatch.setattr(design.ports, "COUNTER_BITS", 9)
    assert first_difference(NANO, stalls=stalls) is None
    difference = first_difference(NANO, stalls=stalls, component=ByTheWay(NANO))
    assert difference is not None
    assert difference.detail == "macs"
