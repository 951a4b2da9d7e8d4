"""Small components, true and false theorems about them, for the tests of the runner."""

import dataclasses

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from design.config import Config
from formal.harness import stage
from formal.model import Model
from properties.dialect import Theorem
from properties.done_pulse import Handshake


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
        m.d.sync += self.done.eq(0)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.left.eq(self.left - 1)
            with m.If(self.left == 0):
                m.d.sync += self.done.eq(1)
        with m.If(self.done):
            m.d.sync += self.running.eq(0)
        with m.If(self.start & (self.done | ~self.running)):
            m.d.sync += [self.running.eq(1), self.left.eq(self.length)]
        return m


def countdown(config: Config, *, hints: bool) -> stage.Device:
    """Counts down the longest sequence; without `hints` nothing is said about the inside."""
    dut = Countdown(config.shape.seq_len)
    return stage.Device(
        dut=dut,
        measure=Mux(dut.done, 0, dut.left + 1),
        bound=dut.last + 1,
        active=dut.running if hints else None,
    )


def safety(config: Config, *, hints: bool) -> Model:
    """A true one."""
    return stage.done_pulse(countdown(config, hints=hints))


def only_short(config: Config) -> Model:
    """Wrong where the context is longer than 8: there, done is always high."""
    device = countdown(config, hints=True)
    if config.shape.seq_len > 8:
        own = Handshake("own", device.dut.start, Const(1))
        device = dataclasses.replace(device, own=own)
    return stage.done_pulse(device)


def ranking(config: Config) -> Model:
    """A true one."""
    return stage.done_ranking(countdown(config, hints=True))


class Pair(wiring.Component):
    """Sends a beat on each of two streams, in turn, then `done`."""

    def __init__(self):
        beat = Out(stream.Signature(1))
        super().__init__({"start": In(1), "done": Out(1), "o_a": beat, "o_b": beat})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.done.eq(0)
        with m.FSM():
            with m.State("Idle"):
                with m.If(self.start):
                    m.next = "A"
            with m.State("A"):
                m.d.comb += self.o_a.valid.eq(1)
                with m.If(self.o_a.ready):
                    m.next = "B"
            with m.State("B"):
                m.d.comb += self.o_b.valid.eq(1)
                with m.If(self.o_b.ready):
                    m.d.sync += self.done.eq(self.o_b.ready)
                    m.next = "Idle"
        return m


def pair_fair(config: Config, *, forget: str = "") -> Model:
    """True under the fairness of both streams; false when one of them is forgotten."""
    dut = Pair()
    model = stage.done_fair(stage.Device(dut=dut, measure=Const(0), bound=0))
    outputs = {name: port for name, port in model.outputs.items() if name != forget}
    return Model(dut, model.theorem, resets=False, outputs=outputs)


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
        # Nothing is ever offered.
        m.d.comb += self.claim("never_runs", ~self.dut.o.valid)
        m.d.comb += self.witness("started", self.dut.start)
        return m


def stays(config: Config, *, vacuous: bool, contradictory: bool = False) -> Model:
    """A false theorem; a vacuous one; one whose assumptions contradict each other."""
    dut = Countdown(config.shape.seq_len)
    return Model(dut, Stays(dut, vacuous=vacuous, contradictory=contradictory))
