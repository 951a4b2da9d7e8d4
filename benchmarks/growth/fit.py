"""Fits laws to measured points, and latencies to measured cycles."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.growth.cycles import Latencies, token_cycles
from spec.config import Config

#: The start of the search for latencies, and its steps.
_GUESS = Latencies(
    residual=8, rope=14, softmax=8, reciprocal=8, attention=12, swiglu=14, ends=14
)  # fmt: skip
_STEPS = (-8, -4, -2, -1, 1, 2, 4, 8)


@dataclass(frozen=True)
class Law:
    """``y = offset + factor * x ** exponent``; `r2` is the explained share of the variation.

    Either a power (offset 0) or a straight line (exponent 1).
    """

    offset: float
    factor: float
    exponent: float
    r2: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The law at x."""
        return self.offset + self.factor * x**self.exponent

    def __str__(self) -> str:
        if self.offset:
            sign = "-" if self.factor < 0 else "+"
            return f"{self.offset:.3g} {sign} {abs(self.factor):.3g} x"
        return f"{self.factor:.3g} x^{self.exponent:.2f}"


def law(x: Sequence[float], y: Sequence[float]) -> Law:
    """The better fit of a power and a straight line, judged by relative errors."""
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    exponent, logarithm = np.polyfit(np.log(xs), np.log(ys), 1)
    slope, offset = np.polyfit(xs, ys, 1, w=1 / ys)
    candidates = (
        (0.0, float(np.exp(logarithm)), float(exponent)),
        (float(offset), float(slope), 1.0),
    )
    laws = (Law(*parameters, _r2(parameters, xs, ys)) for parameters in candidates)
    return max(laws, key=lambda law: law.r2)


def _r2(parameters: tuple[float, float, float], x: np.ndarray, y: np.ndarray) -> float:
    offset, factor, exponent = parameters
    fitted = offset + factor * x**exponent
    if fitted.min() <= 0:
        return -np.inf
    residue = np.square(np.log(y) - np.log(fitted)).sum()
    spread = np.square(np.log(y) - np.log(y).mean()).sum()
    return float(1 - residue / spread) if spread else 1.0


@dataclass(frozen=True)
class Token:
    """The measured cycles of a token at a position."""

    config: Config
    pos: int
    cycles: int


def samples(config: Config, cycles: Sequence[int]) -> list[Token]:
    """Tokens at the positions 0, 1, 3, 7, ... and at the last one, as samples."""
    last = len(cycles) - 1
    positions = {(1 << n) - 1 for n in range(last.bit_length() + 1)} & set(range(last)) | {last}
    return [Token(config, pos, cycles[pos]) for pos in sorted(positions)]


def error(token: Token, latencies: Latencies) -> float:
    """The relative error of the model."""
    return token_cycles(token.config, token.pos, latencies) / token.cycles - 1


def latencies(tokens: Iterable[Token]) -> Latencies:
    """The latencies with the least sum of errors, found by coordinate descent."""
    tokens = list(tokens)

    def cost(candidate: Latencies) -> float:
        return sum(abs(error(token, candidate)) for token in tokens)

    best, least = _GUESS, cost(_GUESS)
    improved = True
    while improved:
        improved = False
        for field in dataclasses.fields(Latencies):
            for step in _STEPS:
                value = max(0, getattr(best, field.name) + step)
                moved = dataclasses.replace(best, **{field.name: value})
                if (moved_cost := cost(moved)) < least:
                    best, least, improved = moved, moved_cost, True
    return best
