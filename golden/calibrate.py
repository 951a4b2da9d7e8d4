"""Choose a format per tensor from what a model really computes."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from design.config import CONFIGS, Config, Numerics
from design.errors import BadInput
from design.fixed import SQ
from golden.checkpoint import Checkpoint
from golden.float_decoder import FloatDecoder, softmax

#: How much larger than anything seen a value may get before it saturates.
HEADROOM = 1.05
#: Sequences of a calibration run.
SEQUENCES = 32


def query_scale(checkpoint: Checkpoint) -> float:
    """What is folded into queries: log2(e) / sqrt(head_dim)."""
    return math.log2(math.e) / math.sqrt(checkpoint.shape.head_dim)


def float_tensors(trace: dict[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The trace of a float step by the names of `Numerics`, in the units of the fixed decoder.

    Scores and queries carry the factor log2(e) (and queries 1 / sqrt(head_dim)).
    """
    log2e = math.log2(math.e)
    return {
        "residual": np.stack([trace["x_embed"], *trace["x_att"], *trace["x_ffn"]]),
        "q": np.stack(trace["q"]) * query_scale(checkpoint),
        "k": np.stack(trace["k"]),
        "v": np.stack(trace["v"]),
        "score": np.stack(trace["score"]) * log2e,
        "attention": np.stack(trace["attention"]),
        "gate": np.stack(trace["gate"]),
        "up": np.stack(trace["up"]),
        "silu": np.stack(trace["silu"]),
        "ffn": np.stack(trace["ffn"]),
        "logits": trace["logits"],
    }


def before_biases(trace: dict[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """What the formats of queries, keys and values must hold besides, where there are biases, in
    the units of the fixed decoder: projections without them, these, and their sums before RoPE."""
    found: dict[str, list[np.ndarray]] = {"q": [], "k": [], "v": []}
    for layer, projected in enumerate(trace.get("projected", ())):
        for name, value in projected.items():
            bias = checkpoint.weights[f"b{name}"][layer]
            found[name] += [value, bias[None], value + bias]
    scale = {"q": query_scale(checkpoint)}
    return {
        name: np.concatenate(arrays) * scale.get(name, 1.0)
        for name, arrays in found.items()
        if arrays
    }


def ranges(
    checkpoint: Checkpoint, steps: int, seed: int = 0, progress: Callable[[int], None] | None = None
) -> dict[str, float]:
    """Largest magnitude of each tensor over `steps` positions of `SEQUENCES` texts.

    Sequence 0 is greedy, the others are sampled at temperature 1; all begin with `Shape.first_id`
    and run past the end of a text, so that calibration sees more than one. `progress` is called
    with the number of positions done.
    """
    rng = np.random.default_rng(seed)
    decoder = FloatDecoder(checkpoint, SEQUENCES)
    tokens = np.full(SEQUENCES, checkpoint.shape.first_id)
    largest: dict[str, float] = {}
    for position in range(steps):
        logits = decoder.step(tokens)
        for found in (
            float_tensors(decoder.trace, checkpoint),
            before_biases(decoder.trace, checkpoint),
        ):
            for name, value in found.items():
                largest[name] = max(largest.get(name, 0.0), float(np.abs(value).max()))
        running = softmax(logits).cumsum(axis=1)  # (B, V)
        coins = rng.random((SEQUENCES, 1)) * running[:, -1:]
        tokens = (running > coins).argmax(axis=1)
        tokens[0] = logits[0].argmax()
        if progress is not None:
            progress(position + 1)
    return largest


def fit(form: SQ, magnitude: float) -> SQ:
    """A format as wide as `form` whose integer bits hold `magnitude` with headroom."""
    integer_bits = math.ceil(math.log2(max(magnitude * HEADROOM, 2.0**-8))) + 1
    return SQ(integer_bits, form.width - integer_bits)


def numerics_for(largest: dict[str, float], base: Numerics) -> Numerics:
    """`base` with the point of each tensor where `largest` wants it; widths stay.

    Scores keep their fraction bits (the exp2 table sees all of them) and get wider instead.
    """
    formats: dict[str, Any] = {
        name: fit(getattr(base, name), magnitude)
        for name, magnitude in largest.items()
        if name != "score"
    }
    formats["score"] = SQ(fit(base.score, largest["score"]).i, base.score.f)
    return dataclasses.replace(base, **formats)


def calibrated(
    checkpoint: Checkpoint,
    config: Config,
    steps: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Config:
    """`config` with the formats that `checkpoint` wants, from `steps` positions (default all)."""
    largest = ranges(checkpoint, steps or config.shape.seq_len, progress=progress)
    return config.with_numerics(numerics_for(largest, config.numerics))


#: What `config_for` can be asked for.
NUMERICS = ("default", "int8", "calibrated")


def config_for(
    checkpoint: Checkpoint,
    *,
    lanes: int | None = None,
    numerics: str = "default",
    progress: Callable[[int], None] | None = None,
) -> Config:
    """The configuration to run `checkpoint` with.

    A checkpoint of a named shape gets the named instance, with its numerics; any other one is
    calibrated. `numerics` "int8" takes int8 weights instead of 16-bit ones, "calibrated"
    calibrates in any case. Raises :class:`BadInput` for other names.
    """
    if numerics not in NUMERICS:
        raise BadInput(f"numerics = {numerics!r} is not one of {', '.join(NUMERICS)}")
    named = next((each for each in CONFIGS.values() if each.shape == checkpoint.shape), None)
    config = named or Config(name="custom", shape=checkpoint.shape)
    if lanes is not None:
        config = config.with_lanes(lanes)
    if named is None or numerics == "calibrated":
        config = calibrated(checkpoint, config, progress=progress)
    if numerics == "int8":
        config = config.with_numerics(dataclasses.replace(config.numerics, weight_bits=8))
    return config
