"""Values that do not fit their format are counted, each by its tensor, and none that fits."""

import dataclasses

import numpy as np
import pytest

from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.quantise import quantise
from spec.config import Numerics, named
from spec.fixed import SQ
from spec.trace import Tensor
from tests.strategies import NUMERICS

NANO = named("nano")
#: The tensors of the trace whose elements have one format.
TRACED = {
    "residual": (Tensor.X_EMBED, Tensor.WO, Tensor.X_ATT, Tensor.W2, Tensor.X_FFN),
    "score": (Tensor.SCORE,),
    "attention": (Tensor.ATTENTION,),
    "silu": (Tensor.SILU,),
    "ffn": (Tensor.FFN,),
    "logits": (Tensor.LOGITS,),
}


def at_ends(decoder: FixedDecoder) -> dict[str, int]:
    """What the trace of a step has at the ends of the formats."""
    n, shape, trace = decoder.config.numerics, decoder.config.shape, decoder.trace
    parts = {name: [trace[tensor] for tensor in tensors] for name, tensors in TRACED.items()}
    q, k, v = np.split(trace[Tensor.QKV], [shape.q_dim, shape.q_dim + shape.kv_dim], axis=1)
    parts |= {"q": [q, trace[Tensor.Q]], "k": [k, trace[Tensor.K]], "v": [v]}
    parts |= {"gate": [trace[Tensor.W13][:, ::2]], "up": [trace[Tensor.W13][:, 1::2]]}
    counts = {
        name: sum(int(np.isin(x, (getattr(n, name).min, getattr(n, name).max)).sum()) for x in each)
        for name, each in parts.items()
    }
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("name", NUMERICS)
def test_every_value_at_an_end_is_counted(name):
    checkpoint = random_checkpoint(NANO.shape, 5, scale=6.0)
    decoder = FixedDecoder(quantise(checkpoint, NANO.with_numerics(NUMERICS[name])))
    expected: dict[str, int] = {}
    for token in (1, 15, 0, 3):
        decoder.step(np.array([token]), trace=True)
        for tensor, count in at_ends(decoder).items():
            expected[tensor] = expected.get(tensor, 0) + count
    assert decoder.saturation.counts == expected
    assert expected


def test_nothing_is_counted_where_all_fits():
    decoder = FixedDecoder(quantise(random_checkpoint(NANO.shape, 5), NANO))
    decoder.step(np.array([1]))
    assert decoder.saturation.counts == {} and decoder.saturation.sentence() == ""


def test_every_sequence_is_counted_and_said():
    numerics = dataclasses.replace(Numerics(), gate=SQ(1, 15))
    model = quantise(random_checkpoint(NANO.shape, 5), NANO.with_numerics(numerics))
    alone, together = FixedDecoder(model), FixedDecoder(model, 3)
    alone.step(np.array([1]))
    together.step(np.array([1, 1, 1]))
    count = alone.saturation.counts["gate"]
    assert together.saturation.counts == {"gate": 3 * count}
    sentence = alone.saturation.sentence()
    assert sentence == f"{count} values saturated their formats: {count} of gate"
