"""The small decoders that mutants are judged on, and the models and cases that they run.

Together they use every variant of the design, so that code which is active in one alone is seen.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from golden.checkpoint import random_checkpoint
from golden.quantise import Model, Rows, quantise
from spec.config import CONFIGS, CacheBacking, Config, Geometry, Numerics, RopeBy
from spec.derived import MAX_SHIFT
from spec.fixed import SQ, Rounding
from spec.schedule import layer_ops
from spec.shape import Shape


def decoder(name: str) -> Config:
    """The decoder of that name in `mutate.judged.DECODERS`."""
    nano, external = CONFIGS["nano"], CacheBacking.EXTERNAL
    wide = Numerics(weight_bits=8, residual=SQ(10, 12), ffn=SQ(9, 12), rounding=Rounding.HALF_EVEN)
    biased = Shape.of_sizes(
        4, 5, 2, 3, 1, 10, 5, head_dim=2, qkv_bias=True, norm_epsilon=2e-5, end_ids=(0, 7), bos=None
    )
    odd = Shape(dim=18, hidden=5, layers=2, heads=3, kv_heads=3, vocab=10, seq_len=11)
    made = {
        "nano": nano,
        "nano-16-external": nano.with_lanes(16).with_cache(external),
        "nano-2-wide": nano.with_lanes(2).with_numerics(wide),
        "biased-4": Config(name="biased", shape=biased, geometry=Geometry(lanes=4)),
        "odd-8-external": Config(
            name="odd", shape=odd, geometry=Geometry(lanes=8, cache=external),
            numerics=Numerics(
                rounding=Rounding.TRUNCATE, v_gains=(1, 0), up_gains=(0, 2), rope_by=RopeBy.CORDIC
            ),
        ),
    }  # fmt: skip
    return made[name]


@dataclass(frozen=True)
class Run:
    """A model of the decoder, a prompt, how many tokens, and the seed of the stalls."""

    model: Model
    prompt: tuple[int, ...]
    tokens: int
    stalls: int | None


def runs(config: Config) -> list[Run]:
    """The runs that are compared, always the same: ordinary weights, and weights with corners."""
    made = []
    for seed, stalls in ((1, None), (2, 3), (3, 4)):
        source = np.random.default_rng(seed)
        model = quantise(random_checkpoint(config.shape, seed=seed), config)
        model = _with_corners(model, source) if seed > 1 else model
        prompt = source.integers(0, config.shape.vocab, size=seed)
        made.append(Run(model, tuple(map(int, prompt)), config.shape.seq_len + 2, stalls))
    return made


def _with_corners(model: Model, source: np.random.Generator) -> Model:
    """The model with some weights, and the shifts of some rows, at the ends of their range."""
    config = model.config
    bits = config.numerics.weight_bits
    values = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 1, -1])

    def rows(dense: Rows) -> Rows:
        at = source.random(dense.weights.shape) < 0.05
        weights = np.where(at, source.choice(values, dense.weights.shape), dense.weights)
        shifted = source.random(dense.shift.shape) < 0.1
        shifts = source.choice([0, 1, 8, MAX_SHIFT], dense.shift.shape)
        return Rows(weights, np.where(shifted, shifts, dense.shift))

    return dataclasses.replace(
        model,
        embedding=rows(model.embedding),
        layers=tuple({op: rows(layer[op]) for op in layer_ops(config)} for layer in model.layers),
        classifier=rows(model.classifier),
    )
