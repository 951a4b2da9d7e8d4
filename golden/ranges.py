"""The ranges of a model's tensors, measured on text, and the formats chosen for them."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.checkpoint import Checkpoint, tensor_shapes
from golden.float_decoder import FloatDecoder, softmax
from golden.quantise import column_fraction, layer_fractions, real_rows, row_formats
from spec.config import MAX_GAIN, Config, Numerics
from spec.derived import EXPONENT_STEP, SCALAR_BITS, derive, exponents
from spec.fixed import SQ
from spec.schedule import Op
from tools.errors import BadInput

#: Ratio of the largest representable value to the largest measured one.
HEADROOM = 1.05
#: The same within a layer, where layers have formats of their own.
LAYER_HEADROOM = 1.5
#: Most and fewest positions to evaluate. Large models get fewer, so that about `MOST_PRODUCTS` are
#: computed.
MOST_POSITIONS, LEAST_POSITIONS, MOST_PRODUCTS = 512, 32, 1.2e11
#: Batch sizes for models of up to `SMALL` weights and for larger ones. The latter are computed in
#: float32, because float64 weights would not fit into the memory of many machines.
SEQUENCES, FEW_SEQUENCES, SMALL = 32, 8, 20_000_000
#: Period, in positions, with which a BOS or end-of-text id is inserted into every other text.
MARKER_EVERY = 16
#: Tensors that may be wider than 18 bits, see `design.operand`.
WIDENED = ("residual", "ffn")
#: Tensors whose formats may differ by layer, see `Numerics`.
LAYERED = ("v", "attention", "up", "ffn")
#: Bits that the median channel needs above the last place, where its vector is smallest.
QUIET_BITS = 11
#: Widths of a tensor in `WIDENED`: the largest for each number of exponents.
WIDTHS = (SCALAR_BITS, *(SCALAR_BITS - 1 + EXPONENT_STEP * n for n in (1, 2, 3)), 32)

Progress = Callable[[int], None]


@dataclass
class Ranges:
    """The measured ranges, in the units of the fixed decoder.

    `largest`: the largest magnitude of each tensor, by the names of `Numerics`. For those in
    `WIDENED`: `channel`, the index of the largest, and `quiet`, the median over the channels of
    their largest magnitude, at the point of the residual (embedding, after attention or FFN of a
    layer) where it is least. For those in `LAYERED`: `layers`, the largest magnitude in each layer.
    `biased`: q, k and v have biases. `weights`: the largest weight of each matrix of `Op`, see
    `largest_weights`.
    """

    largest: dict[str, float] = field(default_factory=dict)
    channel: dict[str, int] = field(default_factory=dict)
    quiet: dict[str, float] = field(default_factory=dict)
    layers: dict[str, list[float]] = field(default_factory=dict)
    biased: bool = False
    weights: dict[str, float] = field(default_factory=dict)


def query_scale(checkpoint: Checkpoint) -> float:
    """The factor folded into queries: log2(e) / sqrt(head_dim)."""
    return math.log2(math.e) / math.sqrt(checkpoint.shape.head_dim)


def float_tensors(trace: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The trace of a float step by the names of `Numerics`, in the units of the fixed decoder.

    Scores include the factor log2(e), and queries log2(e) / sqrt(head_dim).
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


def before_biases(trace: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """For models with biases, further values that the formats of queries, keys and values must
    hold, in the units of the fixed decoder: projections, biases, and their sums before RoPE."""
    values: dict[str, list[np.ndarray]] = {"q": [], "k": [], "v": []}
    for layer, projected in enumerate(trace.get("projected", ())):
        for name, value in projected.items():
            bias = checkpoint.weights[f"b{name}"][layer]
            values[name] += [value, bias[None], value + bias]
    scale = {"q": query_scale(checkpoint)}
    return {
        name: np.concatenate(arrays) * scale.get(name, 1.0)
        for name, arrays in values.items()
        if arrays
    }


def weight_count(checkpoint: Checkpoint) -> int:
    """The number of weights of a model, without a separate count of the embedding."""
    sizes = tensor_shapes(checkpoint.shape)
    return sum(math.prod(dims) for name, dims in sizes.items() if name != "tok_embeddings")


def largest_weights(checkpoint: Checkpoint) -> dict[str, float]:
    """The largest weight magnitude of each matrix over all layers, with folded factors."""
    shape = checkpoint.shape
    ops = [Op.QKV, Op.WO, Op.W13, Op.W2, *[Op.BIAS] * shape.qkv_bias]
    matrices = [(op, layer) for layer in range(shape.layers) for op in ops] + [(Op.CLS, 0)]
    largest: dict[str, float] = {}
    for op, layer in matrices:
        most = float(np.abs(real_rows(checkpoint, op, layer)).max())
        largest[op.name] = max(largest.get(op.name, 0.0), most)
    return largest


def with_room(config: Config, seen: Ranges) -> Config:
    """`config` with a pre-shift large enough that no row of its largest weights saturates."""
    limit = (1 << (config.numerics.weight_bits - 1)) - 0.5
    needed = 0
    nonzero = [op for op in Op if seen.weights.get(op.name, 0.0) > 0]
    for op in nonzero:
        forms = row_formats(config, op)
        for layer in range(config.shape.layers):
            columns, rows = layer_fractions(config, op, layer)
            target = int((np.array([form.f for form in forms]) + rows).max())
            fraction = math.floor(math.log2(limit / seen.weights[op.name]))
            needed = max(needed, target - column_fraction(config, op) - columns - fraction)
    while derive(config).lead < needed:
        magnitude = config.numerics.weight_magnitude + 1
        numerics = dataclasses.replace(config.numerics, weight_magnitude=magnitude)
        config = config.with_numerics(numerics)
    return config


def positions_for(checkpoint: Checkpoint) -> int:
    """The default number of positions of `ranges`."""
    count = weight_count(checkpoint)
    affordable = int(MOST_PRODUCTS // (count * _sequences(count)))
    return min(MOST_POSITIONS, max(LEAST_POSITIONS, affordable), checkpoint.shape.seq_len)


def _sequences(count: int) -> int:
    return SEQUENCES if count <= SMALL else FEW_SEQUENCES


def ranges(
    checkpoint: Checkpoint, steps: int, seed: int = 0, progress: Progress | None = None
) -> Ranges:
    """The ranges of all tensors over `steps` positions of several texts.

    Text 0 is greedy, the others are sampled at temperature 1; all begin with the first id, and
    continue after an end of text. BOS and end-of-text ids are inserted into every other text, like
    the markers of a chat. `progress` is called with the number of positions done.
    """
    rng = np.random.default_rng(seed)
    shape, count = checkpoint.shape, weight_count(checkpoint)
    batch = _sequences(count)
    decoder = FloatDecoder(checkpoint, batch, np.float64 if count <= SMALL else np.float32)
    markers = sorted({shape.first_id, *shape.end_ids})
    tokens = np.full(batch, shape.first_id)
    largest: dict[str, float] = {}
    channels: dict[str, np.ndarray] = {}  # (points of the residual or layers, channels)
    layers: dict[str, np.ndarray] = {}  # (L,)
    for position in range(steps):
        logits = decoder.step(tokens)
        for name, value in float_tensors(decoder.trace, checkpoint).items():
            magnitude = np.abs(value)
            largest[name] = max(largest.get(name, 0.0), float(magnitude.max()))
            if name in WIDENED:
                of_channel = magnitude.max(axis=1)
                channels[name] = np.maximum(channels.get(name, 0.0), of_channel)
            if name in LAYERED:
                of_layer = magnitude.reshape(shape.layers, -1).max(axis=1)
                layers[name] = np.maximum(layers.get(name, 0.0), of_layer)
        for name, value in before_biases(decoder.trace, checkpoint).items():
            largest[name] = max(largest[name], float(np.abs(value).max()))
        running = softmax(logits).cumsum(axis=1)  # (B, V)
        coins = rng.random((batch, 1)) * running[:, -1:]
        tokens = (running > coins).argmax(axis=1)
        tokens[0] = logits[0].argmax()
        if position % MARKER_EVERY == MARKER_EVERY - 1:
            tokens[1::2] = markers[position // MARKER_EVERY % len(markers)]
        if progress is not None:
            progress(position + 1)
    return Ranges(
        largest=largest,
        channel={name: int(seen.max(axis=0).argmax()) for name, seen in channels.items()},
        quiet={name: float(np.median(seen, axis=1).min()) for name, seen in channels.items()},
        layers={name: seen.tolist() for name, seen in layers.items()},
        biased=shape.qkv_bias,
        weights=largest_weights(checkpoint),
    )


def _integer_bits(magnitude: float) -> int:
    """Integer bits, sign included, that hold `magnitude` with headroom."""
    return math.ceil(math.log2(max(magnitude * HEADROOM, 2.0**-8))) + 1


def fit(form: SQ, magnitude: float) -> SQ:
    """A format as wide as `form` whose integer bits hold `magnitude` with headroom."""
    bits = _integer_bits(magnitude)
    return SQ(bits, form.width - bits)


def _gains(seen: Ranges, *names: str) -> tuple[int, ...]:
    """Spare integer bits of each layer, compared with the largest layer, in all these tensors."""
    spare = [
        [
            _integer_bits(max(seen.layers[name])) - _integer_bits(LAYER_HEADROOM * most)
            for most in seen.layers[name]
        ]
        for name in names
    ]
    return tuple(max(0, min(MAX_GAIN, *of_layer)) for of_layer in zip(*spare, strict=True))


def _width(name: str, seen: Ranges, base: SQ) -> int:
    """Bits that a tensor in `WIDENED` needs, at least those of `base`."""
    largest, quiet = seen.largest[name], seen.quiet[name]
    if quiet == 0:
        return base.width
    needed = _integer_bits(largest) + math.ceil(QUIET_BITS - math.log2(quiet))
    if needed <= base.width:
        return base.width
    if needed > WIDTHS[-1]:
        raise BadInput(
            f"tensor {name} needs {needed} bits, more than {WIDTHS[-1]}: channel"
            f" {seen.channel[name]} reaches {largest:.4g}, but the median channel of the smallest"
            f" layer only {quiet:.3g}"
        )
    return next(width for width in WIDTHS if width >= needed)


def numerics_for(seen: Ranges, base: Numerics) -> Numerics:
    """`base` with the binary point of each tensor chosen for the measured ranges.

    Widths are kept, with three exceptions. Residual and hidden vector get wider if single channels
    are so large that the others would have too few bits; always both, as the array then has the
    hardware anyway. Scores keep their fraction bits, which index the exp2 table, and get wider
    instead. If residual and hidden vector get wider, smaller layers get gains, and silu all bits of
    a multiplier. Raises :class:`BadInput`, naming tensor and channel, if 32 bits are too few.
    """
    formats: dict[str, Any] = {
        name: fit(getattr(base, name), magnitude)
        for name, magnitude in seen.largest.items()
        if name != "score"
    }
    formats["score"] = SQ(fit(base.score, seen.largest["score"]).i, base.score.f)
    widths = {name: _width(name, seen, getattr(base, name)) for name in WIDENED}
    widest = max(widths.values())
    if widest > SCALAR_BITS:
        formats["silu"] = fit(SQ(1, SCALAR_BITS - 1), seen.largest["silu"])
        formats["up_gains"] = _gains(seen, "up", "ffn")
        # With biases, the layers of v were measured only after their addition.
        formats["v_gains"] = () if seen.biased else _gains(seen, "v", "attention")
        for name in WIDENED:
            integer = formats[name].i
            fraction = widest - integer
            if name == "ffn":  # no more than its factors have together
                fraction = min(fraction, formats["silu"].f + formats["up"].f)
            formats[name] = SQ(integer, fraction)
    # A larger range gets more nodes, so that their distance in the sigmoid's table stays the same.
    index_bits = min(12, max(base.sigmoid_index_bits, formats["gate"].i + 5))
    return dataclasses.replace(base, **formats, sigmoid_index_bits=index_bits)


def explain(seen: Ranges, numerics: Numerics) -> list[str]:
    """A sentence for each tensor that is wider than 18 bits."""
    return [
        f"{name} is {form}: channel {seen.channel[name]} reaches {seen.largest[name]:.4g},"
        f" but the median channel of the smallest layer only {seen.quiet[name]:.3g};"
        f" the matrices read it with {exponents(form)} exponents"
        for name in WIDENED
        if exponents(form := getattr(numerics, name)) > 1
    ]
