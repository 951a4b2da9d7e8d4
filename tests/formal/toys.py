"""Small components, true and false theorems about them, for the tests of the runner."""

import dataclasses

from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from formal.harness import stage
from formal.model import Model
from properties.dialect import (
    ASSERT_FAIR,
    ASSUME_FAIR,
    CUT,
    HELD,
    HOLDER,
    LOOP_ENDS,
    LOOP_GOES_ON,
    STAND_IN,
    Paths,
    Theorem,
)
from properties.done_pulse import Handshake
from spec.config import Config


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


class Rounds(wiring.Component):
    """Works for as many rounds as it is told."""

    start: In(1)
    ready: In(1)
    is_last: In(1)
    busy: Out(1)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.busy & self.ready & self.is_last):
            m.d.sync += self.busy.eq(0)
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        return m


class RoundsEnd(Theorem):
    """If no round is stalled for ever, and not every round is followed by one, work ends.

    Obligations: 1.
    """

    def __init__(self, dut: Rounds, forget: str):
        self.dut = dut
        round_ends = dut.busy & dut.ready
        ends = {
            f"{ASSUME_FAIR}moves": ~dut.busy | dut.ready,
            f"{ASSERT_FAIR}idle": ~dut.busy,
            LOOP_GOES_ON: round_ends & ~dut.is_last,
            LOOP_ENDS: round_ends & dut.is_last,
        }
        self.ends = {
            name: (Signal(name=name), value)
            for name, value in ends.items()
            if not forget or not name.startswith(forget)
        }

    def outputs(self) -> dict[str, Signal]:
        """For the search."""
        return {name: signal for name, (signal, _) in self.ends.items()}

    def describe(self, m: Module) -> None:
        m.d.comb += [signal.eq(value) for signal, value in self.ends.values()]
        self.suppose(
            "start_when_idle", ~(self.dut.start & self.dut.busy), "It is started while it is idle."
        )
        self.witness("ends", self.dut.busy & self.dut.ready & self.dut.is_last)


def rounds(config: Config, *, forget: str = "") -> Model:
    """True; false when a supposition is forgotten."""
    dut = Rounds()
    theorem = RoundsEnd(dut, forget)
    return Model(dut, theorem, resets=False, outputs=theorem.outputs())


class Stays(Theorem):
    """The countdown never runs."""

    def __init__(self, dut: Countdown, *, vacuous: bool, contradictory: bool = False):
        self.dut = dut
        self.vacuous = vacuous
        self.contradictory = contradictory

    def describe(self, m: Module) -> None:
        if self.vacuous:
            self.suppose("never_started", ~self.dut.start)
        if self.contradictory:
            self.suppose("impossible", self.dut.start & ~self.dut.start)
        self.claim("never_runs", ~self.dut.o.valid, "Nothing is ever offered.")
        self.witness("started", self.dut.start)


def stays(config: Config, *, vacuous: bool, contradictory: bool = False) -> Model:
    """A false theorem; a vacuous one; one whose assumptions contradict each other."""
    dut = Countdown(config.shape.seq_len)
    return Model(dut, Stays(dut, vacuous=vacuous, contradictory=contradictory))


class Mailbox(wiring.Component):
    """Keeps a word and its tag in one memory; shows the tag at once, the word a cycle later."""

    def __init__(self):
        ports = {"word": In(4), "tag": In(1), "put": In(1), "at": In(2), "look": In(2)}
        super().__init__(ports | {"o_word": Out(4), "o_tag": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=5, depth=4, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.put),
            write.addr.eq(self.at),
            write.data.eq(Cat(self.tag, self.word)),
            read.addr.eq(self.look),
            self.o_tag.eq(read.data[0]),
        ]
        m.d.sync += self.o_word.eq(read.data[1:])
        return m


class WordStaysInside(Paths):
    """No word reaches a tag."""

    def __init__(self, box: Mailbox, *, there: str, cut: bool):
        super().__init__()
        self.apart("word_to_tag", box.word, box.o_tag)
        self.reaches("witness", getattr(box, there), box.o_tag)
        self.apart("look_to_word", box.look, box.o_word)
        if cut:
            self.cut("words", box.o_word)


def mailbox(config: Config, *, there: str = "look", cut: bool = False) -> Model:
    """True within a cycle, and over many if words are `cut` where they leave; `there` reaches a tag
    within a cycle if it is `look`, over several if it is `put`, never if it is `word`."""
    box = Mailbox()
    theorem = WordStaysInside(box, there=there, cut=cut)
    return Model(box, theorem, outputs=theorem.outputs())


class Holding(Theorem):
    """What the countdown offers is in range."""

    def __init__(self, dut: Countdown, *, holder: Value, cut: bool):
        self.ends = {
            f"{HELD}left": (Signal.like(dut.left), dut.left),
            f"{HOLDER}left": (Signal(), holder),
        }
        if cut:
            self.ends |= {f"{CUT}done": (Signal(), dut.done), f"{STAND_IN}done": (Signal(), C(0))}
        self.dut = dut

    def outputs(self) -> dict[str, Signal]:
        """For the search."""
        return {name: signal for name, (signal, _) in self.ends.items()}

    def describe(self, m: Module) -> None:
        m.d.comb += [signal.eq(value) for signal, value in self.ends.values()]
        self.suppose("length_in_range", self.dut.length <= self.dut.last)
        short = self.dut.left <= self.dut.last
        self.claim("in_range", ~self.dut.o.valid | short, "What is offered is a count.")
        self.witness("done", self.dut.done)


def holding(config: Config, *, right: bool = True, cut: bool = False) -> Model:
    """True; not to be shown when `running` is not the holder; `done` never comes if it is `cut`."""
    dut = Countdown(5)
    theorem = Holding(dut, holder=dut.running if right else dut.done, cut=cut)
    return Model(dut, theorem, resets=False, outputs=theorem.outputs())


class Lock(wiring.Component):
    """Opens for one word of nine bits, which only tell when it is `tried`."""

    tried: In(1)
    word: In(9)
    open: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.open.eq(self.tried & (self.word == 0x155))
        return m


class StaysShut(Theorem):
    """The lock never opens: which is wrong, or is supposed. Obligations: 1."""

    def __init__(self, lock: Lock, key: Value | None):
        self.lock = lock
        self.key = key

    def describe(self, m: Module) -> None:
        lock = self.lock
        if self.key is not None:
            self.suppose(
                "not_the_key", ~lock.tried | (lock.word != self.key), "Nobody tries the key."
            )
        self.claim("shut", ~lock.open, "It stays shut.")
        self.witness("tried", lock.tried & lock.word.all())


def lock(config: Config, *, known: bool = True, chosen: bool = False) -> Model:
    """The lock, of which nobody tries the key if it is `known`; or a solver has `chosen` it."""
    dut = Lock()
    key = AnyConst(9) if chosen else C(0x155, 9)
    return Model(dut, StaysShut(dut, key if known else None))


def mailbox_cut_when_short(config: Config) -> Model:
    """`mailbox`, true where the context is at most 8 and false where it is longer."""
    return mailbox(config, cut=config.shape.seq_len <= 8)
