"""The decoder as RTLIL, as a user would synthesise it."""

import re

from amaranth.back import rtlil
from amaranth.hdl import Value

from design.decoder import Decoder
from spec.config import Config

#: The module that the tools take for the top.
TOP = "veridecode"

_INDEXED = re.compile(r"(\\[^\s\[]+)((?:\[\d+\][^\s\[]*)+)")


def decoder_rtlil(config: Config) -> str:
    """RTLIL of the decoder without its trace, so that whatever only feeds it disappears.

    Source locations stay out: the text, and so the cache, does not depend on where we are.
    """
    decoder = Decoder(config)
    ports = [
        Value.cast(value)
        for path, _, value in decoder.signature.flatten(decoder)
        if path[0] != "trace"
    ]
    return safe_names(rtlil.convert(decoder, name=TOP, ports=ports, emit_src=False))


def safe_names(text: str) -> str:
    """`text` with array elements named ``x<1>`` in place of ``x[1]``.

    Amaranth gives element 1 of array x a wire of its own, named like bit 1 of wire x. The abc9 of
    yosys 0.70 takes one for the other (yosys issue 4349): at nano, flip-flops drove one net
    together.
    """
    return _INDEXED.sub(
        lambda match: match[1] + re.sub(r"\[(\d+)\]", r"<\1>", match[2]),
        text,
    )


def plain(name: str) -> str:
    """`name` without the numbers that Amaranth adds to tell one from another."""
    return re.sub(r"\$\d+", "", name)
