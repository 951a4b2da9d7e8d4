"""``core.json``: a machine-readable description of an exported core and its ports."""

import dataclasses
from typing import Any

from amaranth.hdl import Shape, Value
from amaranth.lib import data, wiring

from design.decoder import multipliers
from design.export import TOP, exported_ports
from design.ports import KV_BURST, DecoderSignature
from spec.config import CacheBacking, Config, config_hash, config_to_dict
from spec.fixed import SQ
from spec.kv_layout import kv_layout
from spec.schedule import image

#: Format of ``core.json``.
VERSION = "veridecode core 1"


def hash_words(config: Config) -> list[int]:
    """The hash of `config` as words of the width of a beat, the lowest bits first."""
    bits = config.geometry.lanes * config.numerics.weight_bits
    value = int(config_hash(config), 16)
    return [value >> low & ((1 << bits) - 1) for low in range(0, 64, bits)]


def ports(config: Config) -> list[dict[str, Any]]:
    """Every port of the Verilog, clock and reset first: name, direction, width, fields.

    Offsets are in bits from the lowest bit of the port. Arrays have a length; element 0 is lowest.
    """
    clock = [
        {"name": "clk", "direction": "input", "width": 1, "is": "clock, rising edge"},
        {"name": "rst", "direction": "input", "width": 1, "is": "reset, synchronous, active high"},
    ]
    others = []
    for name, member, value in exported_ports(DecoderSignature(config).create(path=())):
        width = len(Value.cast(value))
        port: dict[str, Any] = {
            "name": name,
            "direction": "input" if member.flow is wiring.In else "output",
            "width": width,
        }
        if isinstance(value, data.View):
            port |= _layout(value.shape(), 0)
        elif Value.cast(value).shape().signed:
            port["signed"] = True
        others.append(port)
    return clock + others


def _layout(layout: data.Layout, offset: int) -> dict[str, Any]:
    if isinstance(layout, data.ArrayLayout):
        element = Shape.cast(layout.elem_shape)
        return {"elements": layout.length, "element": _plain(element)}
    fields = []
    for name, field in layout:
        entry = {"name": str(name), "offset": offset + field.offset, "width": field.width}
        if isinstance(field.shape, data.Layout):
            entry |= _layout(field.shape, offset + field.offset)
        else:
            entry |= {"signed": Shape.cast(field.shape).signed}
        fields.append(entry)
    return {"fields": [field for field in fields if field["width"]]}


def _plain(shape: Shape) -> dict[str, Any]:
    return {"width": shape.width, "signed": shape.signed}


def describe_core(config: Config) -> dict[str, Any]:
    """The description of the core of `config`, for an integrator's program."""
    layout, cache = image(config), None
    if config.geometry.cache is CacheBacking.EXTERNAL:
        keys = kv_layout(config)
        cache = {"beats": keys.beats, "elements_per_beat": keys.elements, "most_burst": KV_BURST}
    formats = {
        field.name: {"integer_bits": form.i, "fraction_bits": form.f}
        for field in dataclasses.fields(config.numerics)
        if isinstance(form := getattr(config.numerics, field.name), SQ)
    }
    return {
        "version": VERSION,
        "hash": config_hash(config),
        "top": TOP,
        "multipliers": multipliers(config),
        "config": config_to_dict(config),
        "formats": formats,
        "ports": ports(config),
        "weight_image": {
            "beats": layout.beats,
            "bytes_per_beat": config.geometry.lanes * config.numerics.weight_bits // 8,
            "lane_order": "the weight of lane 0 first, in the lowest bits; little-endian",
            "embedding_beats_per_token": layout.embedding_beats,
            "first_layer_beat": layout.body,
            "layers_beats": layout.body_beats,
            "classifier_beats": layout.classifier_beats,
        },
        "cache_memory": cache,
    }
