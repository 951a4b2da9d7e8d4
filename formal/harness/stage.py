"""Models of whatever has `start` and `done`: stages and sequencers.

What stalls a component follows from its signature; what is left of its work, and what an induction
must know about its inside, does not, and comes from the caller.
"""

from collections.abc import Iterable, Mapping, Sequence

from amaranth import *
from amaranth.lib import stream, wiring

from formal.model import Model
from properties.done_pulse import DonePulse, DonePulseFair, DonePulseRanking, Handshake


def own_handshake(dut: wiring.Component) -> Handshake:
    """The component's `start` and `done`."""
    return Handshake("own", dut.start, dut.done)


def child_handshakes(dut: wiring.Component, names: Iterable[str]) -> list[Handshake]:
    """Handshakes driven by `dut`: ports ``<name>_start`` (out) and ``<name>_done`` (in)."""
    return [
        Handshake(name, getattr(dut, f"{name}_start"), getattr(dut, f"{name}_done"))
        for name in names
    ]


def stream_stalls(dut: wiring.Component) -> dict[str, Value]:
    """Per stream port, that `dut` waits for the other side: to take a beat, or to bring one."""
    stalls = {}
    for name, member in dut.signature.members.items():
        port = getattr(dut, name)
        if member.is_signature and isinstance(member.signature, stream.Signature):
            wait = port.valid & ~port.ready
            stalls[name] = wait if member.flow == wiring.Out else port.ready & ~port.valid
    return stalls


def _environment(dut: wiring.Component, held: Sequence[str], children: Sequence[str]) -> dict:
    return dict(
        held=[Value.cast(getattr(dut, name)) for name in held],
        children=child_handshakes(dut, children),
    )


def done_pulse(
    dut: wiring.Component,
    *,
    held: Sequence[str] = (),
    children: Sequence[str] = (),
    active: Value | None = None,
) -> Model:
    """Safety of the handshake. `held` names inputs stable from start to done."""
    theorem = DonePulse(own_handshake(dut), active=active, **_environment(dut, held, children))
    return Model(dut, theorem)


def done_ranking(
    dut: wiring.Component,
    *,
    measure: Value,
    bound: int,
    stalled: Value | None = None,
    held: Sequence[str] = (),
    children: Sequence[str] = (),
    invariants: Mapping[str, Value] | None = None,
) -> Model:
    """Liveness by a measure of the work left. `stalled` defaults to any stream stalling."""
    theorem = DonePulseRanking(
        own_handshake(dut),
        measure=measure,
        stalled=Cat(stream_stalls(dut).values()).any() if stalled is None else stalled,
        bound=bound,
        invariants=invariants,
        **_environment(dut, held, children),
    )
    return Model(dut, theorem)


def done_fair(
    dut: wiring.Component,
    *,
    stalls: Mapping[str, Value] | None = None,
    held: Sequence[str] = (),
    children: Sequence[str] = (),
) -> Model:
    """Liveness by liveness-to-safety. `stalls` are waits beside those on streams and children."""
    theorem = DonePulseFair(
        own_handshake(dut),
        stalls=stream_stalls(dut) | dict(stalls or {}),
        **_environment(dut, held, children),
    )
    # A reset may come again and again, and then nothing is ever answered.
    return Model(dut, theorem, resets=False, outputs=theorem.outputs())
