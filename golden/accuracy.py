"""Measures the error of the fixed-point decoder against the float reference."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from golden.checkpoint import Checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import Model
from golden.ranges import float_tensors
from spec.config import Config
from spec.fixed import SQ
from spec.trace import Tensor


@dataclass(frozen=True)
class TensorError:
    """Worst absolute error of one tensor, and the largest magnitude of the float tensor."""

    worst: float
    largest: float


@dataclass(frozen=True)
class Accuracy:
    """Fixed point against float on the same tokens.

    `kl_mean`, `kl_max` are in nats per token; `perplexity_ratio` is fixed over float, on the float
    model's own greedy text; `first_mismatch` is the first step with another greedy choice, None if
    all are equal, and `greedy_equal` the number of equal choices; `saturated` is the number of
    values of each tensor at a limit of their format.

    `divergences` are the KL of every token; `errors` the worst absolute errors of each tensor by
    layer (of the residual: embedding, then after attention of each layer, then after its FFN);
    `magnitudes` the number of float values of each tensor by the exponent of their magnitude (a
    value in [2^n, 2^(n+1)) counts at n, zeros nowhere); `formats` integer and fraction bits.
    """

    steps: int
    kl_mean: float
    kl_max: float
    perplexity_ratio: float
    first_mismatch: int | None
    greedy_equal: int
    tensors: dict[str, TensorError]
    saturated: dict[str, int]
    divergences: list[float]
    errors: dict[str, list[float]]
    magnitudes: dict[str, dict[int, int]]
    formats: dict[str, tuple[int, int]]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - math.log(np.exp(shifted).sum())


def divergence(exact: np.ndarray, approximate: np.ndarray) -> float:
    """The KL divergence of the softmax of two vectors of logits (V,), in nats."""
    p, q = _log_softmax(exact), _log_softmax(approximate)
    return float((np.exp(p) * (p - q)).sum())


def _fixed_tensors(decoder: FixedDecoder) -> dict[str, np.ndarray]:
    """The golden trace in real units, by the names of `golden.ranges.float_tensors`."""
    trace, n = decoder.trace, decoder.config.numerics
    residual = np.concatenate([trace[Tensor.X_EMBED], trace[Tensor.X_ATT], trace[Tensor.X_FFN]])
    w13 = trace[Tensor.W13]
    v, up = (
        np.exp2(np.array(gains or [0])[:, None]) for gains in (n.v_gains, n.up_gains)
    )  # (L, 1)
    return {
        "residual": residual / n.residual.scale,
        "q": trace[Tensor.Q] / n.q.scale,
        "k": trace[Tensor.K] / n.k.scale,
        "v": trace[Tensor.V] / n.v.scale / v,
        "score": trace[Tensor.SCORE] / n.score.scale,
        "gate": w13[:, 0::2] / n.gate.scale,
        "up": w13[:, 1::2] / n.up.scale / up,
        "silu": trace[Tensor.SILU] / n.silu.scale,
        "ffn": trace[Tensor.FFN] / n.ffn.scale / up,
        "logits": trace[Tensor.LOGITS] / n.logits.scale,
    }


def measure(
    checkpoint: Checkpoint,
    model: Model,
    steps: int,
    progress: Callable[[int], None] | None = None,
) -> Accuracy:
    """`along` the greedy text of the model without a prompt."""
    return along(checkpoint, model, steps, [[]], progress)[0]


def along(
    checkpoint: Checkpoint,
    model: Model,
    steps: int,
    prompts: Sequence[Sequence[int]],
    progress: Callable[[int], None] | None = None,
) -> list[Accuracy]:
    """Run both decoders on each of `prompts`, continued by the float model's greedy text.

    Choices and probabilities are compared for `steps` tokens after each prompt; tensors for all
    tokens of the first text. Saturated values are counted in all texts, prompts included.
    """
    forced = [list(prompt) or [checkpoint.shape.first_id] for prompt in prompts]
    starts = [len(ids) - 1 for ids in forced]
    reference, fixed = FloatDecoder(checkpoint, len(forced)), FixedDecoder(model, len(forced))
    tokens = np.array([ids[0] for ids in forced])
    texts = [_Text() for _ in forced]
    largest: dict[str, float] = {}
    errors: dict[str, np.ndarray] = {}  # (points of the residual or layers,)
    magnitudes: dict[str, Counter[int]] = {}
    for position in range(max(starts) + steps):
        logits = reference.step(tokens)  # (B, V)
        fixed_logits = fixed.step(tokens, trace=True) / model.config.numerics.logits.scale
        expected = float_tensors(reference.trace, checkpoint)
        for name, value in _fixed_tensors(fixed).items():
            exact = _of_first(expected[name], name)
            magnitude = np.abs(exact)
            points = 1 if name == "logits" else len(expected[name])
            error = np.abs(value.reshape(-1) - exact).reshape(points, -1).max(axis=1)
            errors[name] = np.maximum(errors.get(name, 0.0), error)
            largest[name] = max(largest.get(name, 0.0), float(magnitude.max()))
            found = np.floor(np.log2(magnitude[magnitude > 0])).astype(int)
            exponents, counts = np.unique(found, return_counts=True)
            of_tensor = magnitudes.setdefault(name, Counter())
            of_tensor.update(dict(zip(exponents.tolist(), counts.tolist(), strict=True)))
        for text, start, exact, approximate in zip(
            texts, starts, logits, fixed_logits, strict=True
        ):
            if start <= position < start + steps:
                text.add(exact, approximate)
        greedy = logits.argmax(axis=1)
        tokens = np.array(
            [
                ids[position + 1] if position + 1 < len(ids) else best
                for ids, best in zip(forced, greedy, strict=True)
            ]
        )
        if progress is not None:
            progress(position + 1)
    seen = _Seen(
        tensors={n: TensorError(float(error.max()), largest[n]) for n, error in errors.items()},
        saturated=dict(fixed.saturation.counts),
        errors={name: error.tolist() for name, error in errors.items()},
        magnitudes={name: dict(sorted(found.items())) for name, found in magnitudes.items()},
        formats=_formats(model.config, errors),
    )
    return [text.accuracy(seen) for text in texts]


def _formats(config: Config, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    formats: dict[str, SQ] = {name: getattr(config.numerics, name) for name in names}
    return {name: (form.i, form.f) for name, form in formats.items()}


@dataclass(frozen=True)
class _Seen:
    """What all texts have in common, see `Accuracy`."""

    tensors: dict[str, TensorError]
    saturated: dict[str, int]
    errors: dict[str, list[float]]
    magnitudes: dict[str, dict[int, int]]
    formats: dict[str, tuple[int, int]]


def _of_first(tensor: np.ndarray, name: str) -> np.ndarray:
    """The values of the first text: the axis of the batch follows that of the layers, if any."""
    return (tensor[0] if name == "logits" else tensor[:, 0]).reshape(-1)


class _Text:
    """The comparison of one text."""

    def __init__(self) -> None:
        self.divergences: list[float] = []
        self.surprise = 0.0
        self.equal: list[bool] = []

    def add(self, exact: np.ndarray, approximate: np.ndarray) -> None:
        p, q = _log_softmax(exact), _log_softmax(approximate)
        token = int(exact.argmax())
        self.divergences.append(divergence(exact, approximate))
        self.surprise += p[token] - q[token]
        self.equal.append(int(approximate.argmax()) == token)

    def accuracy(self, seen: _Seen) -> Accuracy:
        return Accuracy(
            steps=len(self.equal),
            kl_mean=float(np.mean(self.divergences)),
            kl_max=max(self.divergences),
            perplexity_ratio=math.exp(self.surprise / len(self.equal)),
            first_mismatch=self.equal.index(False) if False in self.equal else None,
            greedy_equal=sum(self.equal),
            divergences=self.divergences,
            **vars(seen),
        )
