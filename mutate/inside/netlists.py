"""The netlist of a small decoder, as it is simulated."""

import gc
from pathlib import Path

from mutate.inside.decoders import decoder
from sim.build import build_netlist, decoder_component, defines, netlist


def elaborate(name: str, path: Path) -> str:
    """Write the RTLIL of a decoder to `path`; returns the constants of the driver for it."""
    gc.disable()  # collections take a third of the time
    config = decoder(name)
    component = decoder_component(config)
    path.write_text(netlist(config, "quick", component))
    return defines(config, "quick", records=len(component.trace))


def build(name: str, text: str, constants: str) -> tuple[str, tuple[str, ...]]:
    """Compile a netlist; returns the path of the library, and the signals in feedback."""
    built = build_netlist(decoder(name), "quick", text, constants, quiet=True)
    return str(built.library), built.feedback
