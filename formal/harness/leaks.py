"""Models of the whole decoder for what its handshakes depend on."""

from amaranth import *

from design.decoder import Decoder
from design.sequencer import TokenSequencer
from formal.harness.assembled import data_decide, of_layers, steered_run
from formal.model import Model
from properties.leaks import EndIsTaken, TimingLeaksNothing
from spec.config import CacheBacking, Config


def timing(config: Config, *, external: bool = False) -> Model:
    """The decoder as it is; with `external`, its cache in a memory behind the port."""
    if external:
        config = config.with_cache(CacheBacking.EXTERNAL)
    dut = Decoder(config)
    theorem = TimingLeaksNothing(dut, ended=dut.token_sequencer.ended)
    return Model(dut, theorem, outputs=theorem.outputs())


def end_is_taken(config: Config) -> Model:
    dut = TokenSequencer(config)
    return Model(dut, EndIsTaken(dut, ended=dut.ended))


def end_is_taken_whole(config: Config, *, steered: bool = False, layers: int = 0) -> Model:
    """The decoder as it is, or with `layers` layers; `steered` is the run of `steered_run`."""
    dut = Decoder(of_layers(config, layers))
    theorem = EndIsTaken(dut, ended=dut.token_sequencer.ended)
    glue = Module()
    return Model(
        dut,
        theorem,
        glue=glue,
        driven=steered_run(glue, dut) if steered else (),
        resets=not steered,
        outputs=data_decide(glue, dut),
    )
