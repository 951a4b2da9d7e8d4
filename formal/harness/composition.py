"""Models of the whole decoder for a search of all its states."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment

from design.config import CacheBacking, Config
from design.decoder import Decoder
from formal.model import Model
from properties.composition import CacheKept, EveryTokenAnswered, ExternalCacheKept, NoClash, Parts

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


def _parts(config: Config) -> tuple[Parts, Fragment]:
    dut = Decoder(config)
    inside = Fragment.get(dut, None)

    def signals(unit: str) -> dict[str, Signal]:
        statements = inside.find_subfragment(unit).statements.values()
        return {s.name: s for each in statements for s in each._lhs_signals()}

    def component(*path: str):
        fragment = inside
        for name in path:
            fragment = fragment.find_subfragment(name)
        return fragment.origins[0]

    held = {
        f"{unit}_{register}": (signals(unit)[register], signals(unit)[holder][bit])
        for unit, register, holder, bit in _HELD
    }
    # RoPE asks in cycles counted from the second element of a pair; no pair may meet the next.
    rope, slope = signals("rope"), component("swiglu", "sigmoid").request
    asks = {
        "swiglu": (slope.en, signals("swiglu")["multiply"]),
        "rope": (rope["arrived"][:2].any(), *rope["since"]),
    }
    on_chip = config.geometry.cache is CacheBacking.ON_CHIP
    layers = [("cache", f"layer_{n}") for n in range(config.shape.layers)]
    scalars = (name for _, name, _ in inside.subfragments if str(name).startswith("scalar_"))
    parts = Parts(
        decoder=dut,
        tokens=component("token_sequencer"),
        layers=component("layer_sequencer"),
        stages={name: component(name) for name in ("projection", "score", "value")},
        caches=[component(*path) for path in (layers if on_chip else [("cache",)])],
        units={name: component(name) for name in (*_UNITS, *scalars)},
        asks=asks,
        held=held,
    )
    return parts, inside


def _model(config: Config, theorem_of: type, changes: Mapping[str, Any]) -> Model:
    """The decoder as it is, or with `changes`: of `lanes`, to an `external` cache, or of any size
    of the shape. No reset, which would lose a token."""
    sizes = dict(changes)
    if lanes := sizes.pop("lanes", None):
        config = config.with_lanes(lanes)
    if sizes.pop("external", False):
        config = config.with_cache(CacheBacking.EXTERNAL)
    config = dataclasses.replace(config, shape=dataclasses.replace(config.shape, **sizes))
    parts, inside = _parts(config)
    theorem = theorem_of(config, parts)
    return Model(parts.decoder, theorem, inside=inside, resets=False, outputs=theorem.outputs())


def answered(config: Config, **changes: Any) -> Model:
    """Liveness."""
    return _model(config, EveryTokenAnswered, changes)


def no_clash(config: Config, **changes: Any) -> Model:
    """The units among themselves."""
    return _model(config, NoClash, changes)


def cache_kept(config: Config, **changes: Any) -> Model:
    """The units and the cache on the chip."""
    return _model(config, CacheKept, changes)


def external_cache_kept(config: Config, **changes: Any) -> Model:
    """The units and the cache outside."""
    return _model(config, ExternalCacheKept, changes)
