"""What a model really computes, and the format per tensor that holds it."""

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

#: How much larger than anything seen a value may get before it saturates.
HEADROOM = 1.05
#: And than anything seen in its layer, where that gets a format of its own.
LAYER_HEADROOM = 1.5
#: Positions looked at, at most: where a model is large, fewer, so that about `MOST_PRODUCTS` are
#: computed, but no fewer than `LEAST_POSITIONS`.
MOST_POSITIONS, LEAST_POSITIONS, MOST_PRODUCTS = 512, 32, 1.2e11
#: Sequences that are looked at together, of a model of up to `SMALL` weights and of a larger one.
#: Float32 computes the latter: their float64 would not fit many machines.
SEQUENCES, FEW_SEQUENCES, SMALL = 32, 8, 20_000_000
#: Every so many positions, what begins or ends a text stands in the middle of every other one.
MARKER_EVERY = 16
#: Tensors that may be wider than 18 bits, see `design.operand`.
WIDENED = ("residual", "ffn")
#: Tensors whose formats may differ by layer, see `Numerics`.
LAYERED = ("v", "attention", "up", "ffn")
#: Bits above the last place that the median channel needs where its vector is smallest.
QUIET_BITS = 11
#: Widths of a tensor in `WIDENED`: the most that each number of exponents holds.
WIDTHS = (SCALAR_BITS, *(SCALAR_BITS - 1 + EXPONENT_STEP * n for n in (1, 2, 3)), 32)

Progress = Callable[[int], None]


@dataclass
class Ranges:
    """What was seen, in the units of the fixed decoder.

    `largest`: the largest magnitude of each tensor, by the names of `Numerics`. Of those in
    `WIDENED`: `channel`, where the largest stood, and `quiet`, the median of the channels' largest
    magnitudes at the place (embedding, behind attention or FFN, and layer) where that is least.
    Of those in `LAYERED`: `layers`, the largest magnitude in each layer. `biased`: q, k and v have
    biases. `weights`: the largest weight of each matrix of `Op`, see `largest_weights`.
    """

    largest: dict[str, float] = field(default_factory=dict)
    channel: dict[str, int] = field(default_factory=dict)
    quiet: dict[str, float] = field(default_factory=dict)
    layers: dict[str, list[float]] = field(default_factory=dict)
    biased: bool = False
    weights: dict[str, float] = field(default_factory=dict)


def query_scale(checkpoint: Checkpoint) -> float:
    """What is folded into queries: log2(e) / sqrt(head_dim)."""
    return math.log2(math.e) / math.sqrt(checkpoint.shape.head_dim)


def float_tensors(trace: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
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


def before_biases(trace: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, np.ndarray]:
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


def weight_count(checkpoint: Checkpoint) -> int:
    """Weights of a model, those of the embedding once."""
    sizes = tensor_shapes(checkpoint.shape)
    return sum(math.prod(dims) for name, dims in sizes.items() if name != "tok_embeddings")


def largest_weights(checkpoint: Checkpoint) -> dict[str, float]:
    """The largest magnitude of a weight of each matrix, in all layers, with what is folded in."""
    shape = checkpoint.shape
    ops = [Op.QKV, Op.WO, Op.W13, Op.W2, *[Op.BIAS] * shape.qkv_bias]
    places = [(op, layer) for layer in range(shape.layers) for op in ops] + [(Op.CLS, 0)]
    found: dict[str, float] = {}
    for op, layer in places:
        most = float(np.abs(real_rows(checkpoint, op, layer)).max())
        found[op.name] = max(found.get(op.name, 0.0), most)
    return found


def with_room(config: Config, seen: Ranges) -> Config:
    """`config` with sums shifted left as far as its largest weights want: their headers cannot."""
    limit = (1 << (config.numerics.weight_bits - 1)) - 0.5
    wanted = 0
    for op in (each for each in Op if seen.weights.get(each.name, 0.0) > 0):
        forms = row_formats(config, op)
        for layer in range(config.shape.layers):
            columns, rows = layer_fractions(config, op, layer)
            target = int((np.array([form.f for form in forms]) + rows).max())
            fraction = math.floor(math.log2(limit / seen.weights[op.name]))
            wanted = max(wanted, target - column_fraction(config, op) - columns - fraction)
    while derive(config).lead < wanted:
        magnitude = config.numerics.weight_magnitude + 1
        numerics = dataclasses.replace(config.numerics, weight_magnitude=magnitude)
        config = config.with_numerics(numerics)
    return config


def positions_for(checkpoint: Checkpoint) -> int:
    """How many positions `ranges` looks at unless told otherwise."""
    count = weight_count(checkpoint)
    affordable = int(MOST_PRODUCTS // (count * _sequences(count)))
    return min(MOST_POSITIONS, max(LEAST_POSITIONS, affordable), checkpoint.shape.seq_len)


def _sequences(count: int) -> int:
    return SEQUENCES if count <= SMALL else FEW_SEQUENCES


def ranges(
    checkpoint: Checkpoint, steps: int, seed: int = 0, progress: Progress | None = None
) -> Ranges:
    """What `steps` positions of several texts compute.

    Text 0 is greedy, the others are sampled at temperature 1; all begin as a text does, and run
    past its end. In every other one BOS and the end-of-text ids stand within, too, as the markers
    of a chat do. `progress` is called with the number of positions done.
    """
    rng = np.random.default_rng(seed)
    shape, count = checkpoint.shape, weight_count(checkpoint)
    batch = _sequences(count)
    decoder = FloatDecoder(checkpoint, batch, np.float64 if count <= SMALL else np.float32)
    markers = sorted({shape.first_id, *shape.end_ids})
    tokens = np.full(batch, shape.first_id)
    largest: dict[str, float] = {}
    channels: dict[str, np.ndarray] = {}  # (places, channels)
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
    """Integer bits, the sign among them, that hold `magnitude` with headroom."""
    return math.ceil(math.log2(max(magnitude * HEADROOM, 2.0**-8))) + 1


def fit(form: SQ, magnitude: float) -> SQ:
    """A format as wide as `form` whose integer bits hold `magnitude` with headroom."""
    bits = _integer_bits(magnitude)
    return SQ(bits, form.width - bits)


def _gains(seen: Ranges, *names: str) -> tuple[int, ...]:
    """By how many bits each layer stays below the largest of all, in each of these tensors."""
    spare = [
        [
            _integer_bits(max(seen.layers[name])) - _integer_bits(LAYER_HEADROOM * most)
            for most in seen.layers[name]
        ]
        for name in names
    ]
    return tuple(max(0, min(MAX_GAIN, *of_layer)) for of_layer in zip(*spare, strict=True))


def _width(name: str, seen: Ranges, base: SQ) -> int:
    """Bits that a tensor in `WIDENED` needs: those of `base` where these are enough."""
    largest, quiet = seen.largest[name], seen.quiet[name]
    if quiet == 0:
        return base.width
    needed = _integer_bits(largest) + math.ceil(QUIET_BITS - math.log2(quiet))
    if needed <= base.width:
        return base.width
    if needed > WIDTHS[-1]:
        raise BadInput(
            f"tensor {name} needs {needed} bits, more than {WIDTHS[-1]}: channel"
            f" {seen.channel[name]} reaches {largest:.4g}, the median channel of its least layer"
            f" {quiet:.3g}"
        )
    return next(width for width in WIDTHS if width >= needed)


def numerics_for(seen: Ranges, base: Numerics) -> Numerics:
    """`base` with the point of each tensor where what was seen wants it.

    Widths stay, but those of residual and hidden vector grow where single channels are so large
    that the others would have too few bits (both, since the array then has the hardware for
    either). Scores keep their fraction bits (the exp2 table sees all of them) and get wider
    instead. Where residual and hidden vector grow, layers that stay below others get gains, and
    silu all bits of a multiplier. Raises :class:`BadInput`, naming tensor and channel, for what 32
    bits do not hold.
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
        # A bias is added to what was seen.
        formats["v_gains"] = () if seen.biased else _gains(seen, "v", "attention")
        for name in WIDENED:
            integer = formats[name].i
            fraction = widest - integer
            if name == "ffn":  # no more than its factors have
                fraction = min(fraction, formats["silu"].f + formats["up"].f)
            formats[name] = SQ(integer, fraction)
    # The nodes of the sigmoid's table stand as close for a large range as for a small one.
    index_bits = min(12, max(base.sigmoid_index_bits, formats["gate"].i + 5))
    return dataclasses.replace(base, **formats, sigmoid_index_bits=index_bits)


def explain(seen: Ranges, numerics: Numerics) -> list[str]:
    """A sentence for each tensor that is wider than 18 bits."""
    return [
        f"{name} is {form} wide: channel {seen.channel[name]} reaches {seen.largest[name]:.4g},"
        f" the median channel of its least layer {seen.quiet[name]:.3g};"
        f" the matrices read it with {exponents(form)} exponents"
        for name in WIDENED
        if exponents(form := getattr(numerics, name)) > 1
    ]
