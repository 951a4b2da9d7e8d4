"""What every stream of a component keeps to."""

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.lib import stream, wiring

from properties.dialect import Paths, Theorem
from properties.streams import offer_stands


def streams_of(component: Any) -> dict[str, tuple[Any, bool]]:
    """The stream ports of a component by name, each with whether it goes out."""
    return {
        name: (getattr(component, name), member.flow == wiring.Out)
        for name, member in component.signature.members.items()
        if member.is_signature and isinstance(member.signature, stream.Signature)
    }


class OffersStand(Theorem):
    """On every stream that goes out, a beat that is offered stays, unchanged, until it is taken.

    `invariants` gives statements about the inside: claimed, not believed; `promises` are those of
    the environment. Obligations: one for each stream that goes out, and for each invariant.
    """

    def __init__(
        self,
        component: Any,
        *,
        invariants: dict[str, Value] | None = None,
        promises: dict[str, Value] | None = None,
    ):
        self.component = component
        self.invariants = invariants or {}
        self.promises = promises or {}

    def describe(self, m: Module) -> None:
        for name, promise in self.promises.items():
            self.suppose(name, promise)
        self.claim_inside(self.invariants)
        for name, (port, goes_out) in streams_of(self.component).items():
            if goes_out:
                self.claim(
                    f"{name}_stands",
                    offer_stands(m, port, name),
                    "What waited in the cycle before is offered, and is the same.",
                )
                waited = Signal(name=f"{name}_had_waited")
                m.d.sync += waited.eq(port.valid & ~port.ready)
                self.witness(f"{name}_taken_late", waited & port.valid & port.ready)


class OffersFirst(Paths):
    """Whether a beat is offered, and which, depends within the cycle on no beat being taken, of
    this stream or any other.

    `links` are streams and whatever else is handed over: by name, that it is taken, and what is
    offered. `follows` are pairs between which there is a way. Obligations: one for each link.
    """

    def __init__(
        self, links: Mapping[str, tuple[Value, Value]], follows: Mapping[str, tuple[Value, Value]]
    ):
        super().__init__()
        taken = Cat(takes for takes, _ in links.values())
        for name, (_, offer) in links.items():
            self.apart(name, taken, offer)
        for name, (here, there) in follows.items():
            self.reaches(name, here, there)
