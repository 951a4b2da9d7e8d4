"""How far the fixed-point decoder is from the float reference: measured, never assumed."""

import math
from collections.abc import Callable, Sequence
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
    differs, None if it never does, and `greedy_equal` how many of the choices are equal;
    `saturated` how many values of each tensor stood at the end of their format.
    """

    steps: int
    kl_mean: float
    kl_max: float
    perplexity_ratio: float
    first_mismatch: int | None
    greedy_equal: int
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
    return along(FloatDecoder(checkpoint), FixedDecoder(model), checkpoint, steps, (), progress)


def along(
    reference: FloatDecoder,
    fixed: FixedDecoder,
    checkpoint: Checkpoint,
    steps: int,
    prompt: Sequence[int],
    progress: Callable[[int], None] | None = None,
) -> Accuracy:
    """Run both decoders along `prompt` and the float model's greedy text of `steps` tokens behind
    it. What they choose, and with which probabilities, is compared in that text; what they compute,
    everywhere."""
    reference.reset()
    fixed.reset()
    fixed.saturation.counts.clear()
    forced = list(prompt) or [checkpoint.shape.first_id]
    divergences, surprise = [], 0.0
    first_mismatch, equal = None, 0
    worst: dict[str, float] = {}
    largest: dict[str, float] = {}
    for position in range(len(forced) - 1 + steps):
        step = position - len(forced) + 1
        if step <= 0:
            token = forced[position]
        logits = reference.step(np.array([token]))[0]
        approximate = fixed.step(np.array([token]), trace=True)[0]
        expected = float_tensors(reference.trace, checkpoint)
        for name, value in _fixed_tensors(fixed).items():
            exact = expected[name].reshape(-1)
            error = float(np.abs(value.reshape(-1) - exact).max())
            worst[name] = max(worst.get(name, 0.0), error)
            largest[name] = max(largest.get(name, 0.0), float(np.abs(exact).max()))
        if progress is not None:
            progress(position + 1)
        if step < 0:
            continue
        p = _log_softmax(logits)
        q = _log_softmax(approximate / fixed.config.numerics.logits.scale)
        divergences.append(float((np.exp(p) * (p - q)).sum()))
        token = int(logits.argmax())
        surprise += p[token] - q[token]
        equal += int(approximate.argmax()) == token
        if first_mismatch is None and int(approximate.argmax()) != token:
            first_mismatch = step
    return Accuracy(
        steps=steps,
        kl_mean=float(np.mean(divergences)),
        kl_max=max(divergences),
        perplexity_ratio=math.exp(surprise / steps),
        first_mismatch=first_mismatch,
        greedy_equal=equal,
        tensors={name: TensorError(worst[name], largest[name]) for name in worst},
        saturated=dict(fixed.saturation.counts),
    )
