"""The decoder as RTLIL for synthesis."""

import re

from amaranth.back import rtlil
from amaranth.hdl import Value

from design.decoder import Decoder
from spec.config import Config

#: The name of the top module.
TOP = "veridecode"

_INDEXED = re.compile(r"(\\[^\s\[]+)((?:\[\d+\][^\s\[]*)+)")


def decoder_rtlil(config: Config) -> str:
    """RTLIL of the decoder without its trace, so that logic that only feeds it is removed.

    Without source locations, the text and so the cache key do not depend on the folder.
    """
    decoder = Decoder(config)
    ports = [
        Value.cast(value)
        for path, _, value in decoder.signature.flatten(decoder)
        if path[0] != "trace"
    ]
    return safe_names(rtlil.convert(decoder, name=TOP, ports=ports, emit_src=False))


def safe_names(text: str) -> str:
    """`text` with array elements named ``x<1>`` instead of ``x[1]``.

    Amaranth gives element 1 of array x its own wire, named like bit 1 of wire x. The abc9 of yosys
    0.70 confuses the two (yosys issue 4349): at nano, two flip-flops drove the same net.
    """
    return _INDEXED.sub(
        lambda match: match[1] + re.sub(r"\[(\d+)\]", r"<\1>", match[2]),
        text,
    )


def plain(name: str) -> str:
    """`name` without the numbers that Amaranth adds to make names unique."""
    return re.sub(r"\$\d+", "", name)
