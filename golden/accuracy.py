"""How far the fixed-point decoder is from the float reference: measured, never assumed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from design.trace import Tensor
from golden.checkpoint import Checkpoint
from golden.fixed_decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import Model
from golden.ranges import float_tensors


@dataclass(frozen=True)
class TensorError:
    """Worst absolute error of one tensor, and the largest magnitude of the float one."""

    worst: float
    largest: float


@dataclass(frozen=True)
class Accuracy:
    """Fixed against float on the same tokens.

    `kl_mean`, `kl_max` in nats per token; `perplexity_ratio` is fixed over float, of the float
    model's own greedy text; `first_mismatch` is the first step at which the greedy choice
    differs, None if it never does; `saturated` how many values of each tensor stood at the end of
    their format.
    """

    steps: int
    kl_mean: float
    kl_max: float
    perplexity_ratio: float
    first_mismatch: int | None
    tensors: dict[str, TensorError]
    saturated: dict[str, int]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max()
    return shifted - math.log(np.exp(shifted).sum())


def _fixed_tensors(decoder: FixedDecoder) -> dict[str, np.ndarray]:
    """The golden trace in real units, by the names of `golden.calibrate.float_tensors`."""
    trace, n = decoder.trace, decoder.config.numerics
    residual = np.concatenate([trace[Tensor.X_EMBED], trace[Tensor.X_ATT], trace[Tensor.X_FFN]])
    w13 = trace[Tensor.W13]
    return {
        "residual": residual / n.residual.scale,
        "q": trace[Tensor.Q] / n.q.scale,
        "k": trace[Tensor.K] / n.k.scale,
        "v": trace[Tensor.V] / n.v.scale,
        "score": trace[Tensor.SCORE] / n.score.scale,
        "gate": w13[:, 0::2] / n.gate.scale,
        "up": w13[:, 1::2] / n.up.scale,
        "silu": trace[Tensor.SILU] / n.silu.scale,
        "ffn": trace[Tensor.FFN] / n.ffn.scale,
        "logits": trace[Tensor.LOGITS] / n.logits.scale,
    }


def measure(
    checkpoint: Checkpoint,
    model: Model,
    steps: int,
    progress: Callable[[int], None] | None = None,
) -> Accuracy:
    """Run both decoders along the float model's greedy text of `steps` tokens."""
    reference, fixed = FloatDecoder(checkpoint), FixedDecoder(model)
    token = checkpoint.shape.first_id
    divergences, surprise = [], 0.0
    first_mismatch = None
    worst: dict[str, float] = {}
    largest: dict[str, float] = {}
    for step in range(steps):
        logits = reference.step(np.array([token]))[0]
        approximate = fixed.step(np.array([token]), trace=True)[0]
        p = _log_softmax(logits)
        q = _log_softmax(approximate / model.config.numerics.logits.scale)
        divergences.append(float((np.exp(p) * (p - q)).sum()))
        token = int(logits.argmax())
        surprise += p[token] - q[token]
        if first_mismatch is None and int(approximate.argmax()) != token:
            first_mismatch = step
        expected = float_tensors(reference.trace, checkpoint)
        for name, value in _fixed_tensors(fixed).items():
            exact = expected[name].reshape(-1)
            error = float(np.abs(value.reshape(-1) - exact).max())
            worst[name] = max(worst.get(name, 0.0), error)
            largest[name] = max(largest.get(name, 0.0), float(np.abs(exact).max()))
        if progress is not None:
            progress(step + 1)
    return Accuracy(
        steps=steps,
        kl_mean=float(np.mean(divergences)),
        kl_max=max(divergences),
        perplexity_ratio=math.exp(surprise / steps),
        first_mismatch=first_mismatch,
        tensors={name: TensorError(worst[name], largest[name]) for name in worst},
        saturated=dict(fixed.saturation.counts),
    )
