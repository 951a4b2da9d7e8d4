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
from sim.rtl_decoder import RtlDecoder
from spec.config import CONFIGS
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
