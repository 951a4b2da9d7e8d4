"""Models of the whole decoder for explicit-state model checking."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *

from design.decoder import Decoder
from design.pipeline import Pipeline
from formal.model import Model
from properties.composition import EveryTokenAnswered, NoClash, Parts, Whole
from properties.composition_cache import CacheKept, CacheKeptInLoops, ExternalCacheKept
from properties.loops import Counters
from spec.config import CacheBacking, Config


def _steps(name: str, pipeline: Pipeline) -> dict[str, tuple[Value, Value]]:
    return {f"{name}_beat_{n}": (step, pipeline.valid[n]) for n, step in enumerate(pipeline.steps)}


def _held(dut: Decoder) -> dict[str, tuple[Value, Value]]:
    """Registers of units, each with the register of one bit without which it holds nothing."""
    issue, array, drain, writeback = dut.issue, dut.array, dut.drain, dut.writeback
    return {
        "issue_waiting": (issue.waiting, issue.waits),
        **_steps("issue", issue.beats),
        **_steps("array", array.beats),
        "array_sums_beat": (array.o.p.beat, array.o.valid),
        "buffer_held_beat": (dut.buffer.held_beat, dut.buffer.full),
        "drain_beat": (drain.held_beat, drain.occupied),
        "drain_lane": (drain.lane, drain.occupied),
        "writeback_element": (writeback.element, writeback.half_valid),
    }


def parts_of(config: Config, *, loops: bool) -> tuple[Parts, Module]:
    """The decoder's parts, and the statements that show registers of them."""
    dut: Any = Decoder(config)
    rope = dut.rope
    # What is on its way through RoPE says by three bits that it is a query, a key or a value. Which
    # one it is stands behind them.
    glue = Module()
    full = Signal(len(rope.stages))
    arrived = rope.arrived
    glue.d.sync += full.eq(Cat(Cat(arrived.q, arrived.k, arrived.v).any(), full))
    held = _held(dut) | {
        f"rope_{n}": (Cat(stage.odd, stage.d, stage.head, stage.row), full[n])
        for n, stage in enumerate(rope.stages)
    }
    # RoPE asks in cycles counted from the second element of a pair; no pair may meet the next.
    asks = {
        "swiglu": (dut.swiglu.sigmoid.request.en, dut.swiglu.multiply),
        "rope": (Cat(arrived.q, arrived.k).any(), *rope.since),
    }
    counters = Counters(
        newest=dut.score.newest, rows_left=dut.projection.rows_left, row=dut.projection.row
    )
    on_chip = config.geometry.cache is CacheBacking.ON_CHIP
    biases = {"biases": dut.writeback.biases} if config.shape.qkv_bias else {}
    parts = Parts(
        decoder=dut,
        tokens=dut.token_sequencer,
        layers=dut.layer_sequencer,
        stages={"projection": dut.projection, "score": dut.score, "value": dut.value},
        issue=dut.issue,
        cache=dut.cache,
        caches=dut.cache.owners if on_chip else [dut.cache],
        units=dut.with_port("fault"),
        inner=dut.parts | biases,
        scalars=dut.scalars,
        asks=asks,
        held=held,
        ended=dut.token_sequencer.ended,
        counters=counters if loops else None,
    )
    return parts, glue


def model(config: Config, theorem_of: Callable[..., Whole], changes: Mapping[str, Any]) -> Model:
    """The decoder as it is, or with `changes`: to an `external` cache, to `loops` that run any
    number of times, or of any size of the shape. No reset, which would lose a token."""
    sizes = dict(changes)
    if sizes.pop("external", False):
        config = config.with_cache(CacheBacking.EXTERNAL)
    loops = sizes.pop("loops", False)
    config = dataclasses.replace(config, shape=dataclasses.replace(config.shape, **sizes))
    parts, glue = parts_of(config, loops=loops)
    theorem = theorem_of(config, parts, glue)
    return Model(parts.decoder, theorem, glue=glue, resets=False, outputs=theorem.outputs())


def _of_parts(theorem: type[Whole]) -> Callable[..., Whole]:
    """Theorems that need no more than the parts."""
    return lambda config, parts, *_: theorem(config, parts)


def answered(config: Config, **changes: Any) -> Model:
    return model(config, _of_parts(EveryTokenAnswered), changes)


def no_clash(config: Config, **changes: Any) -> Model:
    return model(config, _of_parts(NoClash), changes)


def cache_kept(config: Config, **changes: Any) -> Model:
    theorem = CacheKeptInLoops if changes.get("loops") else CacheKept
    return model(config, _of_parts(theorem), changes)


def external_cache_kept(config: Config, **changes: Any) -> Model:
    return model(config, _of_parts(ExternalCacheKept), changes)
