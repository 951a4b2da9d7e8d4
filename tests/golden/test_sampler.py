"""The sampler: against the rules of llama2.c, spelt out one number at a time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.sampler import Sampler, multinomial, softmax, top_p
from tools.errors import BadInput

F = np.float32


def coins(seed: int, count: int) -> list[float]:
    sampler = Sampler(4, seed=seed)
    return [float(sampler.coin()) for _ in range(count)]


def spelt_multinomial(probabilities, coin):
    total = F(0)
    for index, probability in enumerate(probabilities):
        total += probability
        if coin < total:
            return index
    return len(probabilities) - 1


def spelt_top_p(probabilities, topp, coin):
    cutoff = (F(1) - topp) / F(len(probabilities) - 1)
    kept = [(p, i) for i, p in enumerate(probabilities) if p >= cutoff]
    kept.sort(key=lambda pair: -pair[0])
    total, last = F(0), len(kept) - 1
    for index, (probability, _) in enumerate(kept):
        total += probability
        if total > topp:
            last = index
            break
    return kept[spelt_multinomial([p for p, _ in kept[: last + 1]], coin * total)][1]


probability_lists = st.lists(st.floats(-12, 12, width=32), min_size=2, max_size=40).map(
    lambda logits: softmax(np.array(logits, F))
)
coin_values = st.integers(0, (1 << 24) - 1).map(lambda n: F(n / (1 << 24)))


def test_generator_is_xorshift64star():
    # The published outputs for state 1 begin 0x47E4CE4B896CDD1D, 0xABCFA6A8E079651D,
    # 0xB9D10D8FEB731F57.
    assert coins(1, 3) == [n / (1 << 24) for n in (0x47E4CE, 0xABCFA6, 0xB9D10D)]


def test_coins_fill_the_unit_interval():
    drawn = coins(2**64 - 1, 4000)
    assert all(0 <= coin < 1 for coin in drawn)
    counts, _ = np.histogram(drawn, bins=8, range=(0, 1))
    assert counts.min() > 420  # of 500 expected
    assert counts.max() < 580


def test_greedy_takes_the_first_maximum_and_no_coin():
    sampler = Sampler(4, temperature=0, seed=9)
    assert sampler.sample(np.array([1.0, 3.0, 3.0, 2.0])) == 1
    assert sampler.state == 9


@settings(max_examples=200, deadline=None)
@given(probabilities=probability_lists, coin=coin_values)
def test_multinomial(probabilities, coin):
    assert multinomial(probabilities, coin) == spelt_multinomial(probabilities, coin)


@settings(max_examples=200, deadline=None)
@given(probabilities=probability_lists, topp=st.floats(0.5, 0.984375, width=32), coin=coin_values)
def test_top_p(probabilities, topp, coin):
    assert top_p(probabilities, F(topp), coin) == spelt_top_p(probabilities, F(topp), coin)


def test_multinomial_falls_back_on_the_last():
    assert multinomial(np.array([0.25, 0.25, 0.25], F), F(0.999)) == 2


def test_running_sums_must_exceed():
    assert multinomial(np.array([0.5, 0.5], F), F(0.5)) == 1
    probabilities = np.array([0.5, 0.25, 0.25], F)
    assert {top_p(probabilities, F(0.5), F(n / 100)) for n in range(100)} == {0, 1}


def test_equals_keep_their_order():
    probabilities = np.tile(np.array([1 / 128, 3 / 128], F), 32)
    picks = [top_p(probabilities, F(0.9), F((n + 0.5) / 116)) for n in range(116)]
    assert picks == [*np.repeat(range(1, 64, 2), 3), *range(0, 40, 2)]  # 116 / 128 exceeds 0.9


def test_softmax_sums_from_left_to_right():
    logits = np.random.default_rng(1).normal(0, 3, 512).astype(F)
    powers = np.exp(logits - logits.max())
    total = F(0)
    for power in powers:
        total += power
    assert total != powers.sum()  # which sums pairwise
    np.testing.assert_array_equal(softmax(logits), powers / total)


def test_top_p_drops_the_tail():
    probabilities = np.array([0.05, 0.5, 0.05, 0.4], F)
    picks = {top_p(probabilities, F(0.8), F(n / 100)) for n in range(100)}
    assert picks == {1, 3}


def test_top_p_below_one_token_takes_the_best():
    probabilities = np.full(8, 1 / 8, F)
    assert top_p(probabilities, F(0.01), F(0.9)) == 0


@pytest.mark.parametrize("topp", [0.0, 1.0])
def test_frequencies_follow_the_softmax(topp):
    logits = np.log([0.5, 0.125, 0.375]) * 2
    sampler = Sampler(3, temperature=2.0, topp=topp, seed=7)
    counts = np.bincount([sampler.sample(logits) for _ in range(4000)], minlength=3)
    np.testing.assert_allclose(counts / 4000, [0.5, 0.125, 0.375], atol=0.03)


def test_temperatures_at_the_ends():
    logits = np.array([-3.0, -1.0, -2.0])
    assert {Sampler(3, temperature=1e-44, seed=s).sample(logits) for s in range(1, 20)} == {1}
    hot = Sampler(3, temperature=1e38, topp=1.0)
    assert {hot.sample(logits) for _ in range(50)} == {0, 1, 2}


def test_same_seed_same_choices():
    logits = np.linspace(-2, 2, 64)
    first, second = (Sampler(64, seed=5) for _ in range(2))
    assert [first.sample(logits) for _ in range(50)] == [second.sample(logits) for _ in range(50)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"vocab": 1}, "vocab = 1 "),
        ({"temperature": -0.5}, "temperature = -0.5 "),
        ({"temperature": math.nan}, "temperature = nan "),
        ({"temperature": math.inf}, "temperature = inf "),
        ({"topp": 1.5}, "topp = 1.5 "),
        ({"topp": math.nan}, "topp = nan "),
        ({"seed": 0}, "seed = 0 "),
        ({"seed": 1 << 64}, "seed = 18446744073709551616 "),
    ],
)
def test_bad_parameters(changed, message):
    with pytest.raises(BadInput, match=message):
        Sampler(**({"vocab": 4} | changed))


def test_bad_logits():
    with pytest.raises(BadInput, match=r"shape \(1, 4\), not \(4,\)"):
        Sampler(4).sample(np.zeros((1, 4)))
    with pytest.raises(BadInput, match=r"logits\[2\] = nan"):
        Sampler(4).sample(np.array([0, 1, math.nan, 2]))
