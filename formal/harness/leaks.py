"""Models of the whole decoder for what its handshakes depend on."""

from amaranth import *
from amaranth.hdl import Fragment

from design.decoder import Decoder
from design.sequencer import TokenSequencer
from formal.harness.assembled import data_decide, of_layers, steered_run
from formal.harness.stage import look_inside, named_signals
from formal.model import Model
from properties.leaks import EndIsTaken, TimingLeaksNothing
from spec.config import CacheBacking, Config


def ended_of(inside: Fragment) -> Signal:
    """The register of the token sequencer in an elaborated decoder: no text is open."""
    return named_signals(inside.find_subfragment("token_sequencer"))["ended"]


def timing(config: Config, *, external: bool = False) -> Model:
    """The decoder as it is; with `external`, its cache in a memory behind the port."""
    if external:
        config = config.with_cache(CacheBacking.EXTERNAL)
    dut = Decoder(config)
    inside = Fragment.get(dut, None)
    theorem = TimingLeaksNothing(dut, ended=ended_of(inside))
    return Model(dut, theorem, inside=inside, outputs=theorem.outputs())


def end_is_taken(config: Config) -> Model:
    """The token sequencer as it is."""
    dut = TokenSequencer(config)
    inside, hidden = look_inside(dut)
    return Model(dut, EndIsTaken(dut, ended=hidden["ended"]), inside=inside)


def end_is_taken_whole(config: Config, *, steered: bool = False, layers: int = 0) -> Model:
    """The decoder as it is, or with `layers` layers; `steered` is the run of `steered_run`."""
    dut = Decoder(of_layers(config, layers))
    inside = Fragment.get(dut, None)
    theorem = EndIsTaken(dut, ended=ended_of(inside))
    glue = Module()
    return Model(
        dut,
        theorem,
        inside=inside,
        glue=glue,
        driven=steered_run(glue, dut) if steered else (),
        resets=not steered,
        outputs=data_decide(glue, dut),
    )
