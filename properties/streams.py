"""What every stream owes its consumer."""

from typing import Any

from amaranth import *

from properties.dialect import implies


def taken(stream: Any) -> Value:
    """A beat goes over."""
    return stream.valid & stream.ready


def offer_stands(m: Module, stream: Any, name: str) -> Value:
    """What `stream` offered in the cycle before, and nobody took, it offers unchanged."""
    payload = Value.cast(stream.payload)
    waited = Signal(name=f"{name}_waited")
    before = Signal.like(payload, name=f"{name}_before")
    m.d.sync += [waited.eq(stream.valid & ~stream.ready), before.eq(payload)]
    return implies(waited, stream.valid & (payload == before))
