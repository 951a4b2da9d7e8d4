"""Models for the rules of streams: of the whole decoder, and of each unit that offers beats."""

from collections.abc import Callable

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import wiring

from design.argmax import Argmax
from design.stages.score import ScoreStage
from design.stages.value import ValueStage
from formal.harness.assembled import decoder_of
from formal.harness.inside import queue_inside
from formal.model import Model
from properties.stream_ports import OffersFirst, OffersStand, streams_of
from spec.config import Config


def offers_first(config: Config, *, external: bool = False) -> Model:
    """The streams of the decoder, those of the stages, and the path of a pass."""
    dut = decoder_of(config, external=external)
    buffer, drain, array, issue = dut.buffer, dut.drain, dut.array, dut.issue
    ports = {name: port for name, (port, goes_out) in streams_of(dut).items() if goes_out}
    ports |= {"projection": dut.projection.o, "score": dut.score.o, "value": dut.value.o}
    links = {
        name: (port.ready, Cat(port.valid, Value.cast(port.payload)))
        for name, port in ports.items()
    }
    links["pass"] = (buffer.i.ready, Cat(array.o.valid, array.o.p.beat))
    links["buffered_pass"] = (drain.i.ready, Cat(buffer.o.valid, buffer.o.p.beat))
    follows = {
        "weights_to_beats": (dut.i_weights.valid, issue.i.ready),
        "logits_to_done": (dut.o_logits.ready, dut.argmax.done),
    }
    theorem = OffersFirst(links, follows)
    return Model(dut, theorem, outputs=theorem.outputs())


def _stage(config: Config, stage: Callable[[Config], wiring.Component]) -> Model:
    dut = stage(config)
    return Model(dut, OffersStand(dut))


def score(config: Config) -> Model:
    return _stage(config, ScoreStage)


def value(config: Config) -> Model:
    return _stage(config, ValueStage)


def logits(config: Config) -> Model:
    """The queue's level is the distance of its pointers."""
    dut = Argmax(config)
    inside = Fragment.get(dut, None)
    queue = queue_inside(inside, dut.queue)
    theorem = OffersStand(
        dut, invariants={"queue": queue.consistent}, promises={"finds_room": ~dut.fault}
    )
    return Model(dut, theorem, inside=inside)
