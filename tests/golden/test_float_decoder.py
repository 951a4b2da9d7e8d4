"""The float reference: against the formulas one number at a time, and against llama2.c's text."""

import dataclasses
import math

import numpy as np
import pytest

from golden.checkpoint import random_checkpoint
from golden.checkpoints import load_checkpoint
from golden.float_decoder import FloatDecoder, silu
from golden.generate import generate
from golden.sampler import Sampler
from golden.tokenizers import tokenizer_of
from spec.config import named
from spec.shape import Shape
from tests.golden import hugging_face
from tests.golden.features import FEATURES, SIZES
from tools.errors import BadInput

NANO = named("nano").shape


def spelt_logits(checkpoint, tokens):
    """The logits after `tokens`, with plain Python numbers and one formula per line."""
    shape, w = checkpoint.shape, {n: t.tolist() for n, t in checkpoint.weights.items()}
    hs, group = shape.head_dim, shape.heads // shape.kv_heads
    rows: list[tuple[list, list]] = [([], []) for _ in range(shape.layers)]

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    def times(matrix, vector):
        return [dot(row, vector) for row in matrix]

    def norm(x, gain):
        return [g * v / math.sqrt(dot(x, x) / len(x) + 1e-5) for g, v in zip(gain, x, strict=True)]

    def turned(x, pos):
        out = []
        for i in range(0, len(x), 2):
            angle = pos * 10000 ** (-(i % hs) / hs)
            a, b = x[i], x[i + 1]
            out.append(a * math.cos(angle) - b * math.sin(angle))
            out.append(a * math.sin(angle) + b * math.cos(angle))
        return out

    for pos, token in enumerate(tokens):
        x = w["tok_embeddings"][token]
        for n, (keys, values) in enumerate(rows):
            xn = norm(x, w["rms_att"][n])
            q = turned(times(w["wq"][n], xn), pos)
            keys.append(turned(times(w["wk"][n], xn), pos))
            values.append(times(w["wv"][n], xn))
            out = []
            for h in range(shape.heads):
                kv = slice(h // group * hs, h // group * hs + hs)
                s = [dot(q[h * hs : h * hs + hs], key[kv]) / math.sqrt(hs) for key in keys]
                e = [math.exp(score - max(s)) for score in s]
                a = [power / sum(e) for power in e]
                out += [dot(a, column) for column in zip(*(v[kv] for v in values), strict=True)]
            x = [u + v for u, v in zip(x, times(w["wo"][n], out), strict=True)]
            xn = norm(x, w["rms_ffn"][n])
            gate, up = times(w["w1"][n], xn), times(w["w3"][n], xn)
            z = [u / (1 + math.exp(-u)) * v for u, v in zip(gate, up, strict=True)]
            x = [u + v for u, v in zip(x, times(w["w2"][n], z), strict=True)]
    return times(w["wcls"], norm(x, w["rms_final"]))


@pytest.mark.parametrize("heads, kv_heads", [(4, 4), (4, 2), (4, 1), (1, 1), (6, 2)])
@pytest.mark.parametrize("shared", [True, False])
def test_against_the_formulas(heads, kv_heads, shared):
    shape = Shape(dim=24, hidden=10, layers=2, heads=heads, kv_heads=kv_heads, vocab=9, seq_len=6)
    checkpoint = random_checkpoint(shape, heads + kv_heads, scale=1.5, shared=shared)
    decoder = FloatDecoder(checkpoint, 1)
    tokens = [1, 8, 0, 3, 3, 5]
    for token in tokens:
        logits = decoder.step([token])
    np.testing.assert_allclose(logits[0], spelt_logits(checkpoint, tokens), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("feature", FEATURES)
def test_against_hugging_face(feature):
    shape = Shape(**SIZES, **FEATURES[feature])
    checkpoint = random_checkpoint(shape, 5, scale=1.5)
    tokens = [1, 8, 0, 3, 3, 5]
    expected = hugging_face.logits(checkpoint, tokens)
    decoder = FloatDecoder(checkpoint)
    actual = [decoder.step([token])[0] for token in tokens]
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
    if feature in ("base and epsilon", "llama3"):  # of the same tensors
        other = dataclasses.replace(checkpoint, shape=Shape(**SIZES))
        assert np.abs(hugging_face.logits(other, tokens) - expected).max() > 1e-3


@pytest.mark.parametrize("dtype, close", [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_sequences_do_not_meet(dtype, close):
    checkpoint = random_checkpoint(NANO, 1)
    tokens = np.random.default_rng(1).integers(0, NANO.vocab, (NANO.seq_len, 5))
    together = FloatDecoder(checkpoint, 5, dtype)
    alone = [FloatDecoder(checkpoint) for _ in range(5)]
    for row in tokens:
        logits = together.step(row)
        assert logits.dtype == dtype
        expected = [one.step([token])[0] for one, token in zip(alone, row, strict=True)]
        np.testing.assert_allclose(logits, expected, rtol=close, atol=close)


def test_reset_forgets():
    decoder = FloatDecoder(random_checkpoint(NANO, 1), 2)
    first = [decoder.step(row) for row in ([1, 2], [3, 4])]
    for _ in range(NANO.seq_len - 2):
        decoder.step([5, 6])
    decoder.reset()
    assert decoder.position == 0
    np.testing.assert_array_equal([decoder.step(row) for row in ([1, 2], [3, 4])], first)


def test_silu_far_out():
    np.testing.assert_allclose(
        silu(np.array([-1000.0, -1.0, 0.0, 1000.0])), [0, -0.26894142, 0, 1000]
    )


def test_trace_names_every_intermediate():
    checkpoint = random_checkpoint(NANO, 1)
    decoder = FloatDecoder(checkpoint, 3)
    decoder.step([1, 2, 3])
    logits = decoder.step([4, 5, 6])
    trace, b, d, h, t = decoder.trace, 3, NANO.dim, NANO.hidden, 2
    once = {"x_embed": (b, d), "xn_final": (b, d), "logits": (b, NANO.vocab)}
    each_layer = {
        "normed": (b, d),
        "q": (b, NANO.heads, NANO.head_dim),
        "k": (b, NANO.kv_heads, NANO.head_dim),
        "v": (b, NANO.kv_heads, NANO.head_dim),
        "score": (b, NANO.heads, t),
        "weight": (b, NANO.heads, t),
        "attention": (b, d),
        "x_att": (b, d),
        "normed_ffn": (b, d),
        "gate": (b, h),
        "up": (b, h),
        "silu": (b, h),
        "ffn": (b, h),
        "x_ffn": (b, d),
    }
    assert trace.keys() == once.keys() | each_layer.keys()
    assert {name: trace[name].shape for name in once} == once
    for name, shape in each_layer.items():
        assert [array.shape for array in trace[name]] == [shape] * NANO.layers, name

    assert trace["logits"] is logits
    np.testing.assert_array_equal(trace["x_embed"], checkpoint.weights["tok_embeddings"][[4, 5, 6]])
    x = trace["x_embed"]
    for n in range(NANO.layers):
        w = {name: tensor[n] for name, tensor in checkpoint.weights.items() if tensor.ndim == 3}
        np.testing.assert_allclose(trace["weight"][n].sum(axis=-1), 1)
        np.testing.assert_allclose(trace["x_att"][n] - x, trace["attention"][n] @ w["wo"].T)
        np.testing.assert_array_equal(trace["ffn"][n], trace["silu"][n] * trace["up"][n])
        x = trace["x_ffn"][n]
        np.testing.assert_allclose(x - trace["x_att"][n], trace["ffn"][n] @ w["w2"].T)
        # The last score is that of the row just written, each head with the key of its group.
        key = np.repeat(trace["k"][n], NANO.group, axis=1)
        own = (trace["q"][n] * key).sum(axis=-1) / math.sqrt(NANO.head_dim)
        np.testing.assert_allclose(trace["score"][n][:, :, -1], own)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([1, -1], r"tokens\[1\] = -1 is outside 0 to 15"),
        ([16, 1], r"tokens\[0\] = 16 is outside 0 to 15"),
        ([1], r"\(1,\), not integers \(2,\)"),
        ([[1, 2]], r"\(1, 2\), not integers \(2,\)"),
        ([1.0, 2.0], r"float64 \(2,\), not integers"),
    ],
)
def test_bad_tokens_change_nothing(tokens, message):
    decoder = FloatDecoder(random_checkpoint(NANO, 1), 2)
    with pytest.raises(BadInput, match=message):
        decoder.step(tokens)
    assert decoder.position == 0


def test_position_beyond_the_cache():
    decoder = FloatDecoder(random_checkpoint(NANO, 1))
    for _ in range(NANO.seq_len):
        decoder.step([1])
    with pytest.raises(BadInput, match="position 8 is beyond seq_len = 8"):
        decoder.step([1])


def test_bad_parameters():
    with pytest.raises(BadInput, match="batch = 0 "):
        FloatDecoder(random_checkpoint(NANO, 1), 0)
    with pytest.raises(BadInput, match="dtype = float16 "):
        FloatDecoder(random_checkpoint(NANO, 1), 1, np.float16)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_known_model_writes_its_text(known, dtype):
    decoder = FloatDecoder(load_checkpoint(known.model), 1, dtype)
    tokenizer = tokenizer_of(known.model, 512)
    gaps = []

    def step(token):
        (logits,) = decoder.step([token])
        second, best = np.sort(logits)[-2:]
        gaps.append(best - second)
        return logits

    ids = list(generate(step, [1], known.steps, Sampler(512, temperature=0).sample, decoder.shape))
    assert (1, *ids)[: len(known.first)] == known.first
    assert tokenizer.decode_all(ids) == known.text
    if known.name != "stories260K":
        return
    assert len(known.text) == 464
    # The smallest margins between best and second-best token.
    assert list(np.argsort(gaps)[:4]) == [185, 114, 71, 172]
    np.testing.assert_allclose(np.sort(gaps)[:4], [0.0042, 0.0423, 0.0526, 0.0674], atol=1e-4)
