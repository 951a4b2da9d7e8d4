"""Models of the whole decoder for what its handshakes depend on."""

from amaranth import *

from design.sequencer import TokenSequencer
from formal.harness.assembled import data_decide, decoder_of, steered_run
from formal.model import Model
from properties.leaks import EndIsTaken, TimingLeaksNothing
from spec.config import Config


def timing(config: Config, *, external: bool = False) -> Model:
    dut = decoder_of(config, external=external)
    theorem = TimingLeaksNothing(dut, ended=dut.token_sequencer.ended)
    return Model(dut, theorem, outputs=theorem.outputs())


def end_is_taken(config: Config) -> Model:
    dut = TokenSequencer(config)
    return Model(dut, EndIsTaken(dut, ended=dut.ended))


def end_is_taken_whole(config: Config, *, steered: bool = False, layers: int = 0) -> Model:
    """Of the whole decoder; `steered` is the run of `steered_run`."""
    dut = decoder_of(config, layers=layers)
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
