"""Models of whatever has `start` and `done`: stages and sequencers.

A `Device` says about a component what its signature does not: what is left of its work, and what
an induction must know about its inside. The three models of it follow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.hdl._ast import Assign, Switch
from amaranth.lib import stream, wiring

from formal.model import Model
from properties.done_pulse import (
    DonePulse,
    DonePulseFair,
    DonePulseRanking,
    Handshake,
    Setting,
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A component with `start` and `done`, or with an `own` handshake that goes by other names.

    `measure` is what `DonePulseRanking` wants, and never above `bound`. `inside` is `dut`
    elaborated, where the harness looked inside; `glue` drives the harness's own signals. The rest
    is as in `Setting`, to which the stalls on streams are added.
    """

    dut: wiring.Component
    measure: Value
    bound: int
    own: Handshake | None = None
    children: Sequence[Handshake] = ()
    starts_apart: bool = False
    stalls: Mapping[str, Value] = field(default_factory=dict)
    promises: Mapping[str, Value] = field(default_factory=dict)
    invariants: Callable[[Sequence[Value]], Mapping[str, Value]] = lambda pending: {}
    active: Value | None = None
    inside: Fragment | None = None
    glue: Module | None = None

    def setting(self) -> Setting:
        """The device as the theorems see it."""
        dut = self.dut
        return Setting(
            own=self.own or Handshake("own", dut.start, dut.done),
            children=self.children,
            starts_apart=self.starts_apart,
            stalls=stream_stalls(dut) | dict(self.stalls),
            promises=self.promises,
            invariants=self.invariants,
            active=self.active,
        )


def stream_stalls(dut: wiring.Component) -> dict[str, Value]:
    """Per stream port, that `dut` waits for the other side: to take a beat, or to bring one."""
    stalls = {}
    for name, member in dut.signature.members.items():
        port = getattr(dut, name)
        if member.is_signature and isinstance(member.signature, stream.Signature):
            wait = port.valid & ~port.ready
            stalls[name] = wait if member.flow == wiring.Out else port.ready & ~port.valid
    return stalls


def look_inside(dut: wiring.Component) -> tuple[Fragment, dict[str, Signal]]:
    """`dut` elaborated, and its registers and wires that are no ports, by name."""
    fragment = Fragment.get(dut, None)
    ports = {id(Value.cast(port)) for _, _, port in dut.signature.flatten(dut)}
    found = named_signals(fragment)
    return fragment, {name: signal for name, signal in found.items() if id(signal) not in ports}


def named_signals(fragment: Fragment) -> dict[str, Signal]:
    """The registers and wires that `fragment` drives, by name."""
    statements = fragment.statements.values()
    return {signal.name: signal for each in statements for signal in each._lhs_signals()}


def assignments(fragment: Fragment) -> Iterator[Assign]:
    """What `fragment` assigns, under whatever conditions; the right-hand side may be replaced."""
    waiting = [each for group in fragment.statements.values() for each in group]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Switch):
            waiting += [inner for _, statements, _ in each.cases for inner in statements]
        elif isinstance(each, Assign):
            yield each


@dataclass(frozen=True)
class Queue:
    """A `SyncFIFO` inside a component: its level, `consistent` if that is the distance of its
    pointers, its first place, its depth, and its memory elaborated."""

    level: Value
    consistent: Value
    first: Value
    depth: int
    storage: Any

    def shown_to(self, theorem: Any, *, holds: Value) -> Module:
        """Glue that drives `stored` with what is `ahead` places behind the first, by a port of its
        own, and `consistent`: the queue holds as many as the theorem counts."""
        glue = Module()
        place = Signal.like(self.first, name="place")
        glue.d.comb += [
            place.eq(self.first + theorem.ahead),
            theorem.consistent.eq(self.consistent & (self.level == holds)),
        ]
        self.storage.read_port(
            domain="comb", addr=place, data=theorem.stored, en=C(1, 1), transparent_for=()
        )
        return glue


def queue_inside(fragment: Fragment, name: str) -> Queue:
    """The queue that is submodule `name`."""
    queue = fragment.find_subfragment(name)
    fifo: Any = queue.origins[0]
    known = named_signals(queue)
    distance = (known["produce"] - known["consume"])[: len(known["produce"])]
    consistent = (fifo.level <= fifo.depth) & (fifo.level[: len(distance)] == distance)
    return Queue(
        fifo.level, consistent, known["consume"], fifo.depth, queue.find_subfragment("storage")
    )


def state_exists(inside: Fragment) -> Value:
    """The FSM is in one of its states: an induction may start from any pattern of the register."""
    fsm = inside.find_generated("fsm")
    return Cat(fsm.state == code for code in fsm.encoding.values()).any()


def bare(device: Device) -> Device:
    """`device` with nothing claimed of its inside: a planted bug must break the theorem itself."""
    return replace(device, invariants=lambda pending: {}, active=None)


def done_pulse(device: Device) -> Model:
    """Safety of the handshake."""
    return Model(device.dut, DonePulse(device.setting()), inside=device.inside, glue=device.glue)


def done_ranking(device: Device) -> Model:
    """Liveness by the measure of the work left."""
    theorem = DonePulseRanking(device.setting(), measure=device.measure, bound=device.bound)
    return Model(device.dut, theorem, inside=device.inside, glue=device.glue)


def done_fair(device: Device) -> Model:
    """Liveness by liveness-to-safety."""
    theorem = DonePulseFair(device.setting())
    # A reset may come again and again, and then nothing is ever answered: no resets.
    return Model(
        device.dut,
        theorem,
        inside=device.inside,
        glue=device.glue,
        resets=False,
        outputs=theorem.outputs(),
    )
