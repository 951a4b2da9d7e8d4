"""The simulated decoder as Python sees it."""

import dataclasses

import numpy as np
import pytest

from golden.checkpoint import random_checkpoint
from golden.fixed_decoder import FixedDecoder
from golden.image import pack
from golden.quantise import quantise
from golden.work import products
from sim.rtl_decoder import RtlDecoder
from spec.config import CONFIGS

NANO = CONFIGS["nano"]


def test_a_text_goes_on_though_the_decoder_would_have_ended_it():
    # Whatever is chosen ends the text: the host, that samples or chats, goes on with other tokens.
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


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_tokens_made_in_batches_are_all_counted(monkeypatch, batch):
    monkeypatch.setattr("sim.rtl_decoder.CHUNK", batch)
    model = quantise(random_checkpoint(NANO.shape, seed=3), NANO)
    with RtlDecoder(NANO, pack(model), "quick", quiet=True) as rtl:
        list(rtl.generate([1], NANO.shape.seq_len))
        # More than one batch, but for the largest.
        assert rtl.pos > min(batch, NANO.shape.seq_len - 1)
        worked = range(rtl.pos)
        assert rtl.macs == sum(products(NANO.shape, pos, classified=True) for pos in worked)
