"""Samples the next token from logits, with the same arithmetic as llama2.c."""

import numpy as np
from numpy.typing import NDArray

from tools.errors import BadInput

Probabilities = NDArray[np.float32]

_MASK = (1 << 64) - 1


class Sampler:
    """Greedy, multinomial or top-p sampling with a seeded xorshift64* generator.

    Arithmetic is float32 with sums from left to right, so that the same seed picks the same tokens
    as llama2.c (unless the C library rounds an exp, or sorts a tie, differently). A `topp` of 0 or
    1 means plain multinomial. Raises :class:`BadInput` for a temperature outside 0 to 1e38 (the
    range of float32), a `topp` outside 0 to 1, or a seed outside 1 to 2**64 - 1 (with 0 the
    generator would stay at 0).
    """

    def __init__(
        self, vocab: int, temperature: float = 1.0, topp: float = 0.9, seed: int = 1
    ) -> None:
        if vocab < 2:
            raise BadInput(f"sampler vocab = {vocab} must be 2 or more")
        if not 0 <= temperature <= 1e38:
            raise BadInput(f"sampler temperature = {temperature} must be 0 to 1e38")
        if not 0 <= topp <= 1:
            raise BadInput(f"sampler topp = {topp} must be 0 to 1")
        if not 1 <= seed <= _MASK:
            raise BadInput(f"sampler seed = {seed} must be 1 to 2**64 - 1")
        self.vocab = vocab
        self.temperature = np.float32(temperature)
        self.topp = np.float32(topp)
        self.state = seed

    def sample(self, logits: NDArray[np.floating]) -> int:
        """The next token id for `logits` (V,). Raises :class:`BadInput` for other shapes or NaN."""
        if logits.shape != (self.vocab,):
            raise BadInput(f"sampler got logits of shape {logits.shape}, not ({self.vocab},)")
        if np.isnan(logits).any():
            raise BadInput(f"sampler got logits[{int(np.isnan(logits).argmax())}] = nan")
        if self.temperature == 0:
            return int(np.argmax(logits))  # the lowest index wins ties
        coin = self.coin()
        with np.errstate(over="ignore"):
            scaled = logits.astype(np.float32) / self.temperature
        if not np.isfinite(scaled.max()):  # near temperature 0 float32 overflows: greedy
            return int(np.argmax(logits))
        probabilities = softmax(scaled)
        if 0 < self.topp < 1:
            return top_p(probabilities, self.topp, coin)
        return multinomial(probabilities, coin)

    def coin(self) -> np.float32:
        """The next random number in [0, 1), with 24 bits."""
        state = self.state
        state ^= state >> 12
        state ^= (state << 25) & _MASK
        state ^= state >> 27
        self.state = state
        high = (state * 0x2545F4914F6CDD1D & _MASK) >> 32
        return np.float32((high >> 8) / (1 << 24))


def softmax(logits: Probabilities) -> Probabilities:  # (V,) -> (V,)
    """exp(logits) / sum, with the sum taken from left to right."""
    powers: Probabilities = np.exp(logits - logits.max())
    return powers / powers.cumsum()[-1]


def multinomial(probabilities: Probabilities, coin: np.float32) -> int:
    """The first index whose running sum exceeds `coin`; the last if, by rounding, none does."""
    above = probabilities.cumsum() > coin
    return int(above.argmax()) if above.any() else len(above) - 1


def top_p(probabilities: Probabilities, topp: np.float32, coin: np.float32) -> int:
    """Multinomial among the most probable tokens that together just exceed `topp`."""
    # Values below the cutoff cannot be among them. (If all are below, which needs a topp under
    # 1 / V, llama2.c is undefined; here the most probable token remains.)
    cutoff = (np.float32(1) - topp) / np.float32(len(probabilities) - 1)
    cutoff = min(cutoff, probabilities.max())
    (kept,) = np.nonzero(probabilities >= cutoff)
    kept = kept[np.argsort(-probabilities[kept], kind="stable")]
    sums = probabilities[kept].cumsum()
    exceeding = sums > topp
    last = int(exceeding.argmax()) if exceeding.any() else len(kept) - 1
    return int(kept[multinomial(probabilities[kept[: last + 1]], coin * sums[last])])
