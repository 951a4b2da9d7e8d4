"""Verilog of a decoder: one self-contained file, the same from run to run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.lib.wiring import Member

from design.decoder import Decoder, multipliers
from spec.config import CacheBacking, Config, config_hash
from spec.derived import derive
from tools.errors import BadInput
from tools.yosys import run_yosys

#: Name of the exported module.
TOP = "veridecode"
#: `proc` leaves no process: Amaranth's own Verilog has blocks ``always @*`` that nothing wakes but
#: the initial values of registers, and whose outputs an event-driven simulator therefore leaves x.
_TO_VERILOG = """\
read_rtlil core.il
proc
pmuxtree
opt_clean
memory_collect
attrmap -remove src -remove generator -remove top -remove amaranth.decoding
attrmap -modattr -remove src -remove generator -remove top -remove amaranth.hierarchy
write_verilog -norename core.v
"""

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
    decoder = Decoder(config)
    ports = [Value.cast(value) for _, _, value in exported_ports(decoder)]
    text = rtlil.convert(decoder, name=TOP, ports=ports, emit_src=False)
    with tempfile.TemporaryDirectory(prefix="veridecode-") as folder:
        (Path(folder) / "core.il").write_text(text)
        run_yosys(_TO_VERILOG, Path(folder))
        return _header(config) + _marked(config, (Path(folder) / "core.v").read_text())


def exported_ports(interface: Any) -> Iterator[tuple[str, Member, Any]]:
    """Ports of the Verilog besides clock and reset: name, member of the signature, value.

    `interface` has a `DecoderSignature`, as a decoder.

    The trace is none, so that whatever only feeds it disappears. Nor is a payload of no bits, as
    the cache port has when the cache is on the chip: Verilog has no such thing.
    """
    for path, member, value in interface.signature.flatten(interface):
        if path[0] != "trace" and len(Value.cast(value)) > 0:
            yield "__".join(map(str, path)), member, value


def _marked(config: Config, text: str) -> str:
    """`text` with the hash of `config` as a constant of its top, for a testbench to look at."""
    head, top, body = text.partition(f"module {TOP}(")
    ports, end, body = body.partition(";\n")
    return f"{head}{top}{ports}{end}  localparam [63:0] HASH = 64'h{config_hash(config)};\n{body}"


def _header(config: Config) -> str:
    shape, n = config.shape, config.numerics
    return "\n".join(
        (
            f"// veridecode {config.name}: {multipliers(config)} multipliers,"
            f" {config.geometry.lanes} in the array",
            f"// dim {shape.dim}, hidden {shape.hidden}, layers {shape.layers},"
            f" heads {shape.heads}, kv_heads {shape.kv_heads}, vocab {shape.vocab},"
            f" seq_len {shape.seq_len}",
            f"// hash {config_hash(config)}",
            f"// {n.weight_bits}-bit weights; residual {n.residual}, logits {n.logits}",
            "",
            "",
        )
    )
