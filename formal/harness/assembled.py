"""Models of the whole decoder."""

from dataclasses import replace
from functools import reduce
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from design.decoder import Decoder
from formal.model import Model
from properties.dialect import CUT
from properties.kv_assembled import KvAssembledWriter
from properties.wiring import UnitsConnected
from spec.config import CacheBacking, Config


def decoder_of(config: Config, *, external: bool = False, layers: int = 0) -> Any:
    """The decoder of `config`; or, if `external`, with its cache in a memory behind the port, and,
    for a search, with so few `layers`."""
    if external:
        config = config.with_cache(CacheBacking.EXTERNAL)
    if layers:
        config = replace(config, shape=replace(config.shape, layers=layers))
    return Decoder(config)


def steered_run(glue: Module, dut: Decoder) -> list[str]:
    """Drive every input of `dut` for the run in which every stream moves in every cycle, and all
    that comes in is zero; returns the inputs that are driven."""
    driven = []
    for path, member, port in dut.signature.flatten(dut):
        if member.flow == wiring.In:
            driven.append("__".join(map(str, path)))
            glue.d.comb += Value.cast(port).eq(path[-1] in ("valid", "ready"))
    return driven


def data_decide(glue: Module, dut: Decoder) -> dict[str, Signal]:
    """Outputs that cut out what data decide, the end of a text, and the bit of the queue that
    goes with it: explicit-state model checking then needs no data."""
    ends = {"end": dut.o_token.payload.end, "last": dut.o_logits.payload.last}
    cuts = {f"{CUT}{name}": Signal(name=name) for name in ends}
    glue.d.comb += [cuts[f"{CUT}{name}"].eq(value) for name, value in ends.items()]
    return cuts


def units_connected(config: Config, *, external: bool = False) -> Model:
    """All that comes in is free."""
    dut = decoder_of(config, external=external)
    # The cache on the chip has registers of its own beside these of the units.
    early = dut.config.geometry.cache is CacheBacking.ON_CHIP
    whole = {
        "decoder": dut,
        "words": dut.issue.claims if early else dut.issue.read,
        "row": dut.rope.next if early else dut.rope.o,
    }

    def port(path: str) -> Any:
        unit, *names = path.split(".")
        return reduce(getattr, names, whole[unit] if unit in whole else getattr(dut, unit))

    return Model(dut, UnitsConnected(port))


def single_writer(config: Config, *, steered: bool = False, layers: int = 0) -> Model:
    """Shows the theorem the write enables of every bank of every layer, or of `layers` of them.

    Hundreds of cycles pass until a first key is written: `steered` is the run of `steered_run`.
    """
    dut = decoder_of(config, layers=layers)
    inside = Fragment.get(dut, None)  # the ports of memories are made there
    lanes_written = {}
    for layer, owner in enumerate(dut.cache.owners):
        for tensor, banks in (("k", owner.key_banks), ("v", owner.value_banks)):
            for head, bank in enumerate(banks):
                (port,) = bank.write_ports
                lanes_written[tensor, layer, head] = port.en
    glue = Module()
    return Model(
        dut,
        KvAssembledWriter(lanes_written),
        inside=inside,
        glue=glue,
        driven=steered_run(glue, dut) if steered else (),
        resets=not steered,
        outputs=data_decide(glue, dut),
    )
