"""What moves on cycle by cycle: streams that never wait, and registers behind one another."""

from amaranth import *
from amaranth.hdl import ShapeLike
from amaranth.lib import stream


def flow(layout: ShapeLike) -> stream.Signature:
    """A stream whose receiver takes every element in the cycle in which it comes."""
    return stream.Signature(layout, always_ready=True)


class Pipeline:
    """Registers behind one another, each with a bit that says whether an element moved into it.

    Latency: n + 1 (enabled) cycles to ``steps[n]``.

    Attributes
    ----------
    valid : Signal(length)
        Bit n: an element came n + 1 cycles ago, and is in ``steps[n]``.
    steps : list
        The elements, each in a signal of its own: simulators handle many narrow registers better
        than one wide one.
    """

    def __init__(self, layout: ShapeLike, length: int, *, name: str):
        self.valid = Signal(length, name=f"{name}_valid")
        self.steps = [Signal(layout, name=f"{name}_{n}") for n in range(length)]

    def follow(self, m: Module, valid: Value, element: object, *, en: Value | None = None) -> None:
        """Take `element` while `valid`. With an enable, everything moves in its cycles, and only in
        these; without, each step keeps its element until the next one comes."""
        moves = Cat(valid, self.valid)
        with m.If(1 if en is None else en):
            m.d.sync += self.valid.eq(moves)
            for n, step in enumerate(self.steps):
                with m.If(moves[n] if en is None else 1):
                    m.d.sync += step.eq(self.steps[n - 1] if n else element)
