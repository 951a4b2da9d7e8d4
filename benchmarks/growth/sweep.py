"""The measured shapes, along one axis at a time, and their measurement."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.utilisation import greedy_steps
from golden.checkpoint import random_checkpoint
from golden.fast.decoder import FixedDecoder
from golden.image import pack
from golden.quantise import Model, quantise
from sim.rtl_decoder import RtlDecoder
from spec.config import Config, Geometry, Shape, named

#: Most simulated cycles of a shape; the longest context of `AXES` needs fewer.
CYCLES = 12_000_000
#: Sequences of the golden decoder.
BATCH = 16


def config(*, dim: int = 64, layers: int = 2, context: int = 128, lanes: int = 8) -> Config:
    """A small model in Llama's proportions, with heads of 16 elements."""
    heads = dim // 16
    shape = Shape(
        dim=dim, hidden=3 * dim, layers=layers, heads=heads, kv_heads=heads, vocab=64,
        seq_len=context,
    )  # fmt: skip
    return Config(name="growth", shape=shape, geometry=Geometry(lanes=lanes))


Axes = Mapping[str, Mapping[int, Config]]

#: Configurations by axis and value.
AXES: Axes = {
    "dim": {value: config(dim=value) for value in (32, 64, 128, 256, 512)},
    "layers": {value: config(layers=value) for value in (1, 2, 4, 8)},
    "context": {value: config(context=value) for value in (32, 128, 512)},
    "lanes": {value: config(lanes=value) for value in (1, 2, 4, 8, 16, 32, 64)},
}
#: Other configurations, only for the cycles: grouped heads in several blocks, odd sizes, many lanes
#: on a wide model.
OTHERS = (
    Config(
        name="uneven",
        shape=Shape(
            dim=96, hidden=250, layers=3, heads=12, kv_heads=4, vocab=100, seq_len=64
        ),
        geometry=Geometry(lanes=16),
    ),
    named("stories260k"),
    named("stories260k").with_lanes(64),
    config(dim=512, lanes=64),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The results for a shape: `cycles` by position from 0 on, seconds of its build, and rates."""

    config: Config
    cycles: tuple[int, ...]
    elaboration: float
    yosys: float
    compilation: float
    cycles_per_s: float
    golden_tokens_per_s: float


def configs(axes: Axes) -> list[Config]:
    """Every configuration of `axes`, once."""
    return list(dict.fromkeys(config for axis in axes.values() for config in axis.values()))


def measure(config: Config) -> Measured:
    """Build `config`, or use the cache, and run random weights, which do not affect the cycles."""
    model = quantise(random_checkpoint(config.shape, seed=1), config)
    cycles: list[int] = []
    with RtlDecoder(config, pack(model), quiet=True) as rtl:
        begin = time.perf_counter()
        for step in greedy_steps(rtl, config.shape.seq_len):
            cycles.append(step.cycles)
            if sum(cycles) > CYCLES:
                break
        seconds = time.perf_counter() - begin
    build = rtl.build
    return Measured(
        config=config,
        cycles=tuple(cycles),
        elaboration=build.seconds - build.yosys_seconds - build.compile_seconds,
        yosys=build.yosys_seconds,
        compilation=build.compile_seconds,
        cycles_per_s=sum(cycles) / seconds,
        golden_tokens_per_s=_golden(model),
    )


def _golden(model: Model) -> float:
    """Tokens per second over the whole context."""
    decoder = FixedDecoder(model, BATCH)
    tokens = np.full(BATCH, model.config.shape.first_id)
    steps = model.config.shape.seq_len
    begin = time.perf_counter()
    for _ in range(steps):
        decoder.step(tokens)
    return steps * BATCH / (time.perf_counter() - begin)


def as_json(measured: Measured) -> dict[str, object]:
    """Plain values; the configuration as its shape and lanes."""
    values = dataclasses.asdict(measured)
    shape = dataclasses.asdict(measured.config.shape)
    return values | {"config": shape | {"lanes": measured.config.geometry.lanes}}
