"""The simulated decoder as Python sees it."""

import pytest

from design.config import CONFIGS
from golden.checkpoint import random_checkpoint
from golden.image import pack
from golden.quantise import quantise
from golden.work import products
from sim.rtl_decoder import RtlDecoder

NANO = CONFIGS["nano"]


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
