"""Small components, true and false theorems about them, for the tests of the runner."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.config import Config
from formal.harness import stage
from formal.model import Model
from properties.dialect import Theorem


class Countdown(wiring.Component):
    """Sends `length` beats, counting down to 0, then `done`."""

    def __init__(self, length: int):
        self.last = length - 1
        self.left = Signal(range(length))
        self.running = Signal()
        super().__init__(
            {
                "start": In(1),
                "length": In(range(length)),
                "done": Out(1),
                "o": Out(stream.Signature(range(length))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.o.valid.eq(self.running & ~self.done), self.o.payload.eq(self.left)]
        with m.If(self.running):
            with m.If(self.done):
                m.d.sync += [self.running.eq(0), self.done.eq(0)]
            with m.Elif(self.o.ready):
                m.d.sync += self.left.eq(self.left - 1)
                with m.If(self.left == 0):
                    m.d.sync += self.done.eq(1)
        with m.Elif(self.start):
            m.d.sync += [self.running.eq(1), self.left.eq(self.length)]
        return m


def _countdown(config: Config) -> Countdown:
    return Countdown(config.shape.seq_len)


def safety(config: Config) -> Model:
    """Without a word about the inside: for PDR."""
    return stage.done_pulse(_countdown(config), held=["length"])


def safety_inductive(config: Config) -> Model:
    """With the hint that makes it inductive."""
    dut = _countdown(config)
    return stage.done_pulse(dut, held=["length"], active=dut.running)


def ranking(config: Config) -> Model:
    """Beats left, and the cycle of done."""
    dut = _countdown(config)
    return stage.done_ranking(
        dut,
        measure=Mux(dut.done, 0, dut.left + 1),
        bound=dut.last + 1,
        invariants={"running_while_pending": dut.running | dut.done | ~dut.done},
    )


def fair(config: Config) -> Model:
    """Without a word about the inside."""
    return stage.done_fair(_countdown(config))


class Stays(Theorem):
    """The countdown never runs."""

    def __init__(self, dut: Countdown, *, vacuous: bool, contradictory: bool = False):
        self.dut = dut
        self.vacuous = vacuous
        self.contradictory = contradictory

    def elaborate(self, platform):
        m = Module()
        if self.vacuous:
            m.d.comb += self.suppose("never_started", ~self.dut.start)
        if self.contradictory:
            m.d.comb += self.suppose("impossible", self.dut.start & ~self.dut.start)
        m.d.comb += self.claim("never_runs", ~self.dut.o.valid)
        m.d.comb += self.witness("started", self.dut.start)
        return m


def stays(config: Config, *, vacuous: bool, contradictory: bool = False) -> Model:
    """A false theorem; a vacuous one; one whose assumptions contradict each other."""
    dut = _countdown(config)
    return Model(dut, Stays(dut, vacuous=vacuous, contradictory=contradictory))
