"""The simulated decoder as Python sees it."""

import dataclasses

import numpy as np
import pytest

from golden.case import Feed
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import quantise
from golden.work import products
from sim.hang import found, lacking, levels
from sim.observed import ObservedDecoder
from sim.rtl_decoder import RtlDecoder
from spec.config import CONFIGS, CacheBacking
from tools.errors import BadInput

NANO = CONFIGS["nano"]


def test_a_text_goes_on_though_the_decoder_would_have_ended_it():
    # Any choice ends the text; the host, sampling or in a chat, continues with other tokens.
    config = dataclasses.replace(
        NANO, shape=dataclasses.replace(NANO.shape, end_ids=tuple(range(NANO.shape.vocab)))
    )
    model = quantise(random_checkpoint(config.shape, seed=3), config)
    golden = FixedDecoder(model)
    with RtlDecoder(config, pack(model), "quick", quiet=True) as rtl:
        for position, token in enumerate([1, 5, 9, 3]):
            expected = golden.step(np.array([token]))[0]
            step = rtl.step(token, first=position == 0)
            assert step.end and (step.logits == expected).all()
            work = products(config.shape, position, classified=True)
            assert step.macs == work and rtl.pos == position + 1


def test_only_a_resettable_simulation_can_be_reset():
    image = pack(quantise(random_checkpoint(NANO.shape, seed=3), NANO))
    with (
        RtlDecoder(NANO, image, "quick", quiet=True) as rtl,
        pytest.raises(BadInput, match=r"^reset = 9: this simulation is not resettable$"),
    ):
        rtl.feed(Feed(1, True, True, reset=9))


@pytest.mark.parametrize("config", [NANO, NANO.with_cache(CacheBacking.EXTERNAL)], ids=str)
def test_what_units_say_they_wait_for_is_there(config):
    parts = ObservedDecoder(config)
    waiting = {
        name: part.waits_for for name, part in parts.parts.items() if hasattr(part, "waits_for")
    }
    assert waiting.keys() >= {"issue", "drain", "token_sequencer"}
    for name, flags in waiting.items():
        for flag, conditions in flags.items():
            assert len(getattr(parts.parts[name], flag)) == 1
            shown = {(name, flag): 1} | {
                (name, found(parts.parts[name], condition)[0]): 0 for condition in conditions
            }
            (sentence,) = lacking(name, parts.parts[name], shown)
            assert all(condition in sentence for condition in conditions)


def test_names_of_yosys_lose_their_numbers():
    assert levels("decoder x$3 fill$12\t7\nclk\t1\n") == {("decoder", "x", "fill"): 7, ("clk",): 1}
