"""The exported Verilog in Verilator: just the text of `design.export`, with what ports it has."""

from pathlib import Path

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from design import export
from design.ports import DecoderSignature
from golden.case import Case
from golden.image import pack
from golden.quantise import Model
from sim import verilated
from sim.build import FLAGS, Build, cache_folder
from sim.harness import Harness
from sim.opinions.cost import estimated_cycles
from sim.rtl_decoder import RtlDecoder
from spec.config import Config
from tools import cache
from tools.errors import BadInput
from tools.sources import SOURCES
from tools.yosys import yosys_version

#: Cycles from which on it is worth the time to have the compiler optimise.
LONG = 100_000


class Exported(wiring.Component):
    """The exported module where a decoder is expected."""

    def __init__(self, config: Config):
        super().__init__(DecoderSignature(config))

    def elaborate(self, platform):
        m = Module()
        ports = {
            f"{'i' if member.flow is In else 'o'}_{name}": value
            for name, member, value in export.exported_ports(self)
        }
        clock = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        m.submodules.core = Instance(export.TOP, **clock, **ports)
        return m


def text_of(config: Config) -> str:
    """What `design.export` writes, or wrote before of the same sources."""
    sources = SOURCES.digest("design.export")
    if sources is None:
        return export.to_verilog(config)
    key = cache.key(repr(config), sources, yosys_version())

    def make(folder: Path) -> None:
        (folder / "core.v").write_text(export.to_verilog(config))

    def load(folder: Path) -> str:
        return (folder / "core.v").read_text()

    name = f"{config.name}-{config.geometry.lanes}-exported-{key}"
    return cache.made(cache_folder() / name, make, load)[0]


def build(config: Config, text: str | None = None, *, optimise: bool = False) -> Build:
    """The Verilog compiled, `text` in place of what is exported; raises as `verilated.build`."""
    verilated.require()
    harness = Harness(config, Exported(config), traced=False)
    files = {"core.v": text_of(config) if text is None else text}
    flags = (*FLAGS["quick"], "-O1") if optimise else FLAGS["quick"]
    return verilated.build(config, harness, files, flags)


class ExportedRtl(RtlDecoder):
    """A simulation of what has no trace."""

    ports_only = True


def exported(model: Model, case: Case, text: str | None = None) -> ExportedRtl:
    """The Verilog at work, in cases without resets."""
    if case.resets:
        raise BadInput("the case resets the decoder, and the Verilog is compiled without reset")
    made = build(model.config, text, optimise=estimated_cycles(model, case) > LONG)
    return ExportedRtl(model.config, pack(model), stalls=case.stalls, made=made)
