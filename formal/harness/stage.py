"""Models of whatever has `start` and `done`: stages and sequencers.

A `Device` says about a component what its signature does not: what is left of its work, and what
an induction must know about its inside. The three models of it follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.lib import stream, wiring

from formal.model import Model
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking, Handshake, Setting


@dataclass(frozen=True, kw_only=True)
class Device:
    """A component with `start` and `done`, or with an `own` handshake that goes by other names.

    `measure` is what `DonePulseRanking` wants, and never above `bound`. `inside` is `dut`
    elaborated, where the harness needed its FSM; `glue` drives the harness's own signals. The rest
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
