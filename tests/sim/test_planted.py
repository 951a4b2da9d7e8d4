"""Bugs planted in the decoder: the comparison finds each, and names the tensor it shows in."""

import dataclasses
import itertools

import pytest

import design.activations
import design.array
import design.cache
import design.external_cache
import design.ports
import design.rmsnorm
import design.rope
import design.scalar
import design.swiglu
from benchmarks.utilisation import greedy_steps
from design.decoder import Decoder
from design.requantize import requantize
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import quantise
from sim.compare import Difference, compare
from sim.rtl_decoder import RtlDecoder, SimulationError
from spec.config import CONFIGS, CacheBacking, Config
from spec.fixed import Rounding
from spec.trace import Tensor

NANO = CONFIGS["nano"]


def first_difference(
    config: Config, stalls: int | None = None, decoder: type[Decoder] = Decoder
) -> Difference | None:
    """Compare golden with the decoder as it is patched now."""
    model = quantise(random_checkpoint(config.shape, seed=1), config)
    component = decoder(config)
    with RtlDecoder(config, pack(model), "quick", stalls, component, quiet=True) as rtl:
        prompt = [1, 5, 2]
        for progress in compare(FixedDecoder(model), rtl, prompt, config.shape.seq_len):
            if progress.difference is not None:
                return progress.difference
    return None


def truncating(value, shift, form, rounding):
    return requantize(value, shift, form, Rounding.TRUNCATE)


def test_the_design_as_it_is_has_no_difference():
    assert first_difference(NANO, stalls=3) is None


@pytest.mark.parametrize(
    ("module", "tensor", "position"),
    [
        (design.swiglu, Tensor.SILU, 0),
        (design.rope, Tensor.Q, 1),  # position 0 has no rotation, and so no rounding
    ],
)
def test_a_rounding_step_is_named(monkeypatch, module, tensor, position):
    monkeypatch.setattr(module, "requantize", truncating)
    difference = first_difference(NANO)
    assert difference is not None
    assert difference.kind == "value"
    assert (difference.position, difference.layer, difference.tensor) == (position, 0, tensor)


def test_a_wrong_kv_head_is_named(monkeypatch):
    # Every query head reads KV head 0, as if all heads were one group.
    wrong = dataclasses.replace(NANO.shape, kv_heads=1)

    class OneGroup(design.cache.CacheLayers):
        def _pick(self, m, words, of_layer, layer, block):
            config = self.config
            self.config = dataclasses.replace(config, shape=wrong)
            super()._pick(m, words, of_layer, layer, block)
            self.config = config

    monkeypatch.setattr("design.decoder.CacheLayers", OneGroup)
    difference = first_difference(NANO)
    assert difference is not None
    assert (difference.position, difference.tensor) == (0, Tensor.SCORE)


def test_a_row_that_is_stored_too_early_is_found(monkeypatch):
    """The writer takes a write for stored when it is only on its way."""

    class Hasty(design.external_cache.RowWriter):
        def elaborate(self, platform):
            self.i_written = self.o_write.valid & self.o_write.ready
            return super().elaborate(platform)

    monkeypatch.setattr("design.external_cache.RowWriter", Hasty)
    difference = first_difference(NANO.with_cache(CacheBacking.EXTERNAL))
    assert difference is not None
    assert (difference.position, difference.tensor) == (0, Tensor.SCORE)


def test_a_drain_that_forgets_a_stall_is_found(monkeypatch):
    """The array gives its sums away twice when the weight stream pauses behind them."""

    class Twice(design.array.MultiplierArray):
        def elaborate(self, platform):
            taken, self.o.ready = self.o.ready, design.array.Signal()
            module = super().elaborate(platform)
            self.o.ready = taken
            return module

    monkeypatch.setattr("design.decoder.MultiplierArray", Twice)
    assert first_difference(NANO) is None, "only stalls can show it"
    assert first_difference(NANO, stalls=3) is not None


@pytest.mark.parametrize("says_so", [True, False])
def test_a_late_norm_is_named_unless_it_says_that_it_is_late(monkeypatch, says_so):
    """Rows wait for it, or take the factor of the norm before."""

    class Late(design.rmsnorm.RmsNorm):
        def elaborate(self, platform):
            start, clear = self.start, self.clear
            late = [design.rmsnorm.Signal() for _ in range(20)]
            self.start = late[-1]
            if not says_so:
                self.clear = design.rmsnorm.Signal()
            module = super().elaborate(platform)
            module.d.sync += [then.eq(now) for now, then in itertools.pairwise([start, *late])]
            self.start, self.clear = start, clear
            return module

    monkeypatch.setattr("design.decoder.RmsNorm", Late)
    difference = first_difference(NANO)
    if says_so:
        assert difference is None
    else:
        assert difference is not None
        assert (difference.kind, difference.position) == ("value", 0)
        assert (difference.layer, difference.tensor) == (0, Tensor.W13_SUM)


def test_a_vector_announced_too_soon_is_a_fault(monkeypatch):
    """The residual counts what is still in the drain, long before it is written."""

    class Early(design.activations.ActivationBuffer):
        def elaborate(self, platform):
            module = super().elaborate(platform)
            started = design.activations.Signal()
            with module.If(self.clear):
                module.d.sync += [started.eq(1), self.filled.eq(self.depth)]
            with module.Elif(started):
                module.d.sync += self.filled.eq(self.depth)
            return module

    monkeypatch.setattr("design.decoder.ActivationBuffer", Early)
    difference = first_difference(NANO)
    assert difference is not None
    assert difference.kind == "simulation"
    assert "fault is high" in difference.detail


def test_two_users_of_a_scalar_multiplier_are_a_fault(monkeypatch):
    """A norm that never stops asking for a product."""

    class Restless(design.rmsnorm.RmsNorm):
        def elaborate(self, platform):
            module = super().elaborate(platform)
            module.d.comb += design.scalar.ask(self.requests[0], 1, 1)
            return module

    monkeypatch.setattr("design.decoder.RmsNorm", Restless)
    difference = first_difference(NANO)
    assert difference is not None
    assert difference.kind == "simulation"
    assert "fault is high" in difference.detail


class ByTheWay(Decoder):
    """The counter of products counts the cycles in which sums are complete as well."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        array = m.submodules.array
        m.d.sync += self.macs.eq(self.macs + array.macs + array.o.valid)
        return m


class AllLanes(Decoder):
    """A weight beat counts for every lane, padding or not."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        beat = m.submodules.projection.o.payload
        with m.If(beat.macs != 0):
            m.d.comb += m.submodules.issue.i.payload.macs.eq(self.config.geometry.lanes)
        return m


class Eager(Decoder):
    """The clock runs as soon as a token is offered."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.i_token.valid):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        return m


class Patient(Decoder):
    """The clock stands still while the answer waits to be taken."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        with m.If(self.o_token.valid & ~self.o_token.ready):
            m.d.sync += self.cycles.eq(self.cycles)
        return m


@pytest.mark.parametrize(
    ("decoder", "counter", "position", "stalls"),
    [
        (ByTheWay, "macs", 0, None),
        (AllLanes, "macs", 0, None),
        (Eager, "cycles", 0, None),
        (Patient, "cycles", 0, 3),
    ],
)
def test_a_counter_that_lies_is_named(decoder, counter, position, stalls):
    config = NANO.with_lanes(16) if decoder is AllLanes else NANO
    difference = first_difference(config, stalls, decoder)
    assert difference is not None
    assert (difference.kind, difference.detail) == ("counter", counter)
    assert difference.position == position
    assert difference.golden != difference.rtl
    assert f"counter {counter}: expected {difference.golden}, RTL {difference.rtl}" in str(
        difference
    )


def test_no_utilisation_is_published_of_a_counter_that_lies():
    image = pack(quantise(random_checkpoint(NANO.shape, seed=1), NANO))
    with (
        RtlDecoder(NANO, image, "quick", component=ByTheWay(NANO), quiet=True) as rtl,
        pytest.raises(SimulationError, match="counter macs: expected"),
    ):
        list(greedy_steps(rtl, 3))


@pytest.mark.parametrize("stalls", [None, 3])
def test_counters_that_wrap_are_compared_as_well(monkeypatch, stalls):
    monkeypatch.setattr(design.ports, "COUNTER_BITS", 9)
    assert first_difference(NANO, stalls) is None
    difference = first_difference(NANO, stalls, ByTheWay)
    assert difference is not None
    assert difference.detail == "macs"
