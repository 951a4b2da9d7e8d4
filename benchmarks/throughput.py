"""Speed of the golden decoders on one core, and its dependence on the context."""

import copy
import functools
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import interleaved
from benchmarks.report import Row
from golden.checkpoint import Checkpoint
from golden.fast.decoder import FixedDecoder
from golden.float_decoder import FloatDecoder
from golden.quantise import quantise
from spec.config import Config, Shape
from spec.schedule import Op, matrix, ops

Decoder = FloatDecoder | FixedDecoder
#: Positions measured for the cost at one context.
WINDOW = 16
#: The shortest context of the comparison.
SHORTEST = 32
#: Alternating runs of all contexts per round.
TURNS = 4


def speeds(
    checkpoint: Checkpoint, config: Config, steps: int, batch: int, rounds: int, *, targets: bool
) -> Iterator[Row]:
    """Tokens per second over greedy texts of `steps` tokens."""
    row = functools.partial(Row, "golden decoders on one core")
    model = quantise(checkpoint, config)
    fixed, alone = f"fixed point, batch {batch}", "fixed point, batch 1"
    double, single = f"float64 reference, batch {batch}", f"float32 reference, batch {batch}"
    decoders: dict[str, Decoder] = {
        fixed: FixedDecoder(model, batch),
        alone: FixedDecoder(model, 1),
        double: FloatDecoder(checkpoint, batch, np.float64),
        single: FloatDecoder(checkpoint, batch, np.float32),
    }
    first = config.shape.first_id
    jobs = {
        name: functools.partial(_greedy, decoder, first, steps // (4 if name == alone else 1) or 1)
        for name, decoder in decoders.items()
    }
    rate = interleaved(jobs, rounds)
    yield row(fixed, rate[fixed], "tokens/s", at_least=5000.0 if targets else None)
    for name in (alone, double, single):
        yield row(name, rate[name], "tokens/s")
    for name in (double, single):
        kind = name.split()[0]
        yield row(f"{kind} over fixed point", rate[name] / rate[fixed], "x", 0.5, 2.0)


def _greedy(decoder: Decoder, first: int, steps: int) -> int:
    decoder.reset()
    tokens = np.full(decoder.batch, first)
    for _ in range(steps):
        tokens = decoder.step(tokens).argmax(axis=1)
    return steps * decoder.batch


def products(config: Config, context: int) -> int:
    """Products of weights and of attention for one sampled token at a context of `context`."""
    shape = config.shape
    weights = {op: matrix(config, op).rows * matrix(config, op).cols for op in ops(config)}
    layer = sum(count for op, count in weights.items() if op not in (Op.EMBED, Op.BIAS, Op.CLS))
    return weights[Op.CLS] + shape.layers * (layer + 2 * shape.q_dim * context)


def contexts(shape: Shape) -> list[int]:
    """Powers of two below the full context, and the full context."""
    powers = [SHORTEST << n for n in range(20) if SHORTEST << n < shape.seq_len]
    return [*powers, shape.seq_len] if shape.seq_len > SHORTEST else []


def growth(
    checkpoint: Checkpoint,
    config: Config,
    batch: int,
    rounds: int,
) -> Iterator[Row]:
    """The cost of a token in the fixed-point decoder by context, compared with its products.

    Contexts run alternately, `TURNS` times a round, and are compared within each turn, so that
    other load affects all equally; the median over turns, and over the positions of one, counts.
    """
    lengths = contexts(config.shape)
    if not lengths:
        return
    row = functools.partial(Row, f"fixed point, batch {batch}, by context")
    decoder = FixedDecoder(quantise(checkpoint, config), batch)
    tokens = np.full(batch, config.shape.first_id)
    begins: dict[int, tuple[FixedDecoder, np.ndarray]] = {}
    for position in range(lengths[-1] - WINDOW + 1):
        if position + WINDOW in lengths:
            begins[position + WINDOW] = copy.deepcopy(decoder), tokens
        tokens = decoder.step(tokens).argmax(axis=1)
    seconds = np.empty((TURNS * rounds, len(lengths), WINDOW))
    for turn in seconds:
        for times, (decoder, tokens) in zip(turn, begins.values(), strict=True):
            running = copy.deepcopy(decoder)
            for n in range(WINDOW):
                begin = time.perf_counter()
                tokens = running.step(tokens).argmax(axis=1)
                times[n] = time.perf_counter() - begin
    cost = np.median(seconds, axis=2) / batch  # seconds per token, by turn and context
    over = np.median(cost / cost[:, :1], axis=0).tolist()
    typical = np.median(cost, axis=0).tolist()
    yield row(f"context {lengths[0]}", 1e6 * typical[0], "us/token")
    for number, context in enumerate(lengths[1:], start=1):
        limit = products(config, context) / products(config, lengths[0])
        note = f"{1e6 * typical[number]:.0f} us/token"
        name = f"context {context} over {lengths[0]}"
        yield row(name, over[number], "x", at_most=limit, note=note)
