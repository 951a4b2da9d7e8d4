"""Models of the whole decoder for a search of all its states."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment

from design.decoder import Decoder
from formal.harness.stage import named_signals
from formal.model import Model
from properties.composition import EveryTokenAnswered, NoClash, Parts, Whole
from properties.composition_cache import (
    CacheKept,
    CacheKeptInLoops,
    ExternalCacheKept,
)
from properties.loops import Counters
from spec.config import CacheBacking, Config

#: Registers of units, each with the register, and its bit, without which it holds nothing.
_HELD = (
    ("issue", "waiting", "waits", 0),
    ("issue", "read_beat", "read_valid", 0),
    ("issue", "fetch_beat", "fetch_valid", 0),
    ("issue", "o_beat", "o_valid", 0),
    ("array", "operand_beat", "valid", 0),
    ("array", "product_beat", "valid", 1),
    ("array", "sums_beat", "sums_valid", 0),
    ("buffer", "held_beat", "full", 0),
    ("drain", "beat", "occupied", 0),
    ("drain", "lane", "occupied", 0),
    ("writeback", "element", "half_valid", 0),
)
#: Whatever has a `fault`.
_UNITS = ("rope", "cache", "swiglu", "argmax", "x", "attention", "hidden")
#: Whatever has none.
_INNER = (
    "array",
    "drain",
    "writeback",
    "residual",
    "rmsnorm",
    "softmax",
    "reciprocals",
    "queries",
)


def parts_of(config: Config, *, loops: bool) -> tuple[Parts, Fragment, Module]:
    """The decoder elaborated, its parts, and the statements that show registers of them."""
    dut = Decoder(config)
    inside = Fragment.get(dut, None)

    def signals(unit: str) -> dict[str, Signal]:
        return named_signals(inside.find_subfragment(unit))

    def component(*path: str):
        fragment = inside
        for name in path:
            fragment = fragment.find_subfragment(name)
        return fragment.origins[0]

    held = {
        f"{unit}_{register}": (signals(unit)[register], signals(unit)[holder][bit])
        for unit, register, holder, bit in _HELD
    }
    # What is on its way through RoPE says by three bits that it is a query, a key or a value. Which
    # one it is stands behind them.
    glue, rope, ports = Module(), signals("rope"), component("rope")
    which = slice(3, 3 + 1 + len(ports.o.d) + len(ports.o.head) + len(ports.i.row))
    stages = [rope[f"stage_{n}"] for n in range(sum(name.startswith("stage_") for name in rope))]
    full = Signal(len(stages))
    glue.d.sync += full.eq(Cat(rope["arrived"][:3].any(), full))
    held |= {f"rope_{n}": (stage[which], full[n]) for n, stage in enumerate(stages)}
    # RoPE asks in cycles counted from the second element of a pair; no pair may meet the next.
    slope = component("swiglu", "sigmoid").request
    asks = {
        "swiglu": (slope.en, signals("swiglu")["multiply"]),
        "rope": (rope["arrived"][:2].any(), *rope["since"]),
    }
    counters = Counters(
        newest=signals("score")["newest"],
        rows_left=signals("projection")["rows_left"],
        row=signals("projection")["row"],
    )
    on_chip = config.geometry.cache is CacheBacking.ON_CHIP
    layers = [("cache", f"layer_{n}") for n in range(config.shape.layers)]
    scalars = (name for _, name, _ in inside.subfragments if str(name).startswith("scalar_"))
    biases = {"biases": component("writeback", "biases")} if config.shape.qkv_bias else {}
    parts = Parts(
        decoder=dut,
        tokens=component("token_sequencer"),
        layers=component("layer_sequencer"),
        stages={name: component(name) for name in ("projection", "score", "value")},
        issue=component("issue"),
        cache=component("cache"),
        caches=[component(*path) for path in (layers if on_chip else [("cache",)])],
        units={name: component(name) for name in _UNITS},
        inner={name: component(name) for name in _INNER} | biases,
        scalars=[component(str(name)) for name in scalars],
        asks=asks,
        held=held,
        ended=signals("token_sequencer")["ended"],
        counters=counters if loops else None,
    )
    return parts, inside, glue


def model(config: Config, theorem_of: Callable[..., Whole], changes: Mapping[str, Any]) -> Model:
    """The decoder as it is, or with `changes`: to an `external` cache, to `loops` that run any
    number of times, or of any size of the shape. No reset, which would lose a token."""
    sizes = dict(changes)
    if sizes.pop("external", False):
        config = config.with_cache(CacheBacking.EXTERNAL)
    loops = sizes.pop("loops", False)
    config = dataclasses.replace(config, shape=dataclasses.replace(config.shape, **sizes))
    parts, inside, glue = parts_of(config, loops=loops)
    theorem = theorem_of(config, parts, inside, glue)
    return Model(
        parts.decoder, theorem, inside=inside, glue=glue, resets=False, outputs=theorem.outputs()
    )


def _of_parts(theorem: type[Whole]) -> Callable[..., Whole]:
    """Theorems that need no more than the parts."""
    return lambda config, parts, *_: theorem(config, parts)


def answered(config: Config, **changes: Any) -> Model:
    """Liveness."""
    return model(config, _of_parts(EveryTokenAnswered), changes)


def no_clash(config: Config, **changes: Any) -> Model:
    """The units among themselves."""
    return model(config, _of_parts(NoClash), changes)


def cache_kept(config: Config, **changes: Any) -> Model:
    """The units and the cache on the chip."""
    theorem = CacheKeptInLoops if changes.get("loops") else CacheKept
    return model(config, _of_parts(theorem), changes)


def external_cache_kept(config: Config, **changes: Any) -> Model:
    """The units and the cache outside."""
    return model(config, _of_parts(ExternalCacheKept), changes)
