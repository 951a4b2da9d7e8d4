"""Bugs planted in the decoder: the comparison finds each, and names the tensor it shows in."""

from typing import Any

import pytest

import design.ports
import sim.rtl_decoder
from benchmarks.utilisation import greedy_steps
from design.decoder import Decoder
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
    (
        PlantedBug(
            "silu is truncated", "design.swiglu", "SwiGlu.elaborate",
            "requantize(self.products[1], silu_shift, n.silu, n.rounding)",
            "requantize(self.products[1], silu_shift, n.silu, type(n.rounding).TRUNCATE)",
        ),
        NANO, (0, 0, Tensor.SILU),
    ),
    (
        # Position 0 has no rotation, and so no rounding.
        PlantedBug(
            "turned elements are truncated", "design.rope", "Rope.elaborate",
            "requantize(total, n.rope.f, form, n.rounding)",
            "requantize(total, n.rope.f, form, type(n.rounding).TRUNCATE)",
        ),
        NANO, (1, 0, Tensor.Q),
    ),
    (
        PlantedBug(
            "every query head reads KV head 0", "design.cache", "CacheLayers._pick",
            "head // shape.group", "head // shape.heads",
        ),
        NANO, (0, 0, Tensor.SCORE),
    ),
    (
        PlantedBug(
            "a write is taken for stored when it is on its way", "design.kv_writer",
            "RowWriter.elaborate", "self.i_written", "taken",
        ),
        EXTERNAL, (0, 0, Tensor.SCORE),
    ),
    (
        PlantedBug(
            "rows are shifted a bit too far for their norm", "design.rmsnorm", "RmsNorm.elaborate",
            "self.exponent.eq(e - derived.norm_floor)",
            "self.exponent.eq(e - derived.norm_floor + 1)",
        ),
        NANO, (0, 0, Tensor.QKV_SUM),
    ),
]  # fmt: skip

GIVES_TWICE = PlantedBug(
    "the array gives its sums away twice when the weight stream pauses behind them",
    "design.array", "MultiplierArray.elaborate", "self.o.ready", "0",
)  # fmt: skip

FAULTS = [
    PlantedBug(
        "the residual counts elements long before they are written",
        "design.activations", "ActivationBuffer.elaborate",
        "self.filled.eq(0)", "self.filled.eq(self.depth)",
    ),
    PlantedBug(
        "a norm never stops asking for a product",
        "design.rmsnorm", "RmsNorm.elaborate",
        "self.requests[0].eq(interpolator.request)", "self.requests[0].as_value().eq(-1)",
    ),
]  # fmt: skip

BY_THE_WAY = PlantedBug(
    "cycles in which sums are complete count as products, too",
    "design.decoder", "Decoder._observe",
    "self.macs + self.array.macs", "self.macs + self.array.macs + self.array.o.valid",
)  # fmt: skip

#: Each with lanes, the counter that it makes lie, and stalls.
COUNTERS = [
    (BY_THE_WAY, 4, "macs", None),
    (
        PlantedBug(
            "a weight beat counts for every lane, padding or not",
            "design.decoder", "Decoder._connect_stages",
            "m.d.comb += issue.i.p.layer.eq(tokens.layer)",
            "m.d.comb += issue.i.p.layer.eq(tokens.layer)\n"
            "with m.If(projection.o.p.macs != 0):\n"
            "    m.d.comb += issue.i.p.macs.eq(self.config.geometry.lanes)",
        ),
        16, "macs", None,
    ),
    (
        PlantedBug(
            "the clock runs as soon as a token is offered", "design.decoder", "Decoder._observe",
            "self.token_sequencer.busy", "self.token_sequencer.busy | self.i_token.valid",
        ),
        4, "cycles", None,
    ),
    (
        PlantedBug(
            "the clock stands still while an answer waits", "design.decoder", "Decoder._observe",
            "self.token_sequencer.busy",
            "self.token_sequencer.busy & ~(self.o_token.valid & ~self.o_token.ready)",
        ),
        4, "cycles", 3,
    ),
]  # fmt: skip

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
    assert first_difference(NANO, GIVES_TWICE) is None
    assert first_difference(NANO, GIVES_TWICE, stalls=3) is not None


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
    component = build_under(BY_THE_WAY, Decoder, NANO)
    with (
        RtlDecoder(NANO, image, "quick", component=component, quiet=True) as rtl,
        pytest.raises(SimulationError, match="counter macs: expected"),
    ):
        list(greedy_steps(rtl, 3))


class ByTheWay(Decoder):
    """As `BY_THE_WAY`, with the width of the counters as it is patched."""

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
