"""What Amaranth makes of a component: the one place that looks a thing up in an elaborated design.

What a harness needs of a component of ours is an attribute of it, see `Inside` in its docstring.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.hdl._ast import Assign, Switch
from amaranth.hdl._mem import MemoryInstance
from amaranth.lib.fifo import SyncFIFO


def registers(fragment: Fragment) -> list[Signal]:
    """What the statements of a part drive by the clock, without the parts below it."""
    statements = fragment.statements.get("sync")
    return list(statements._lhs_signals()) if statements is not None else []


def parts(fragment: Fragment) -> Iterator[Fragment]:
    """A part and all below it."""
    yield fragment
    for part, _, _ in fragment.subfragments:
        yield from parts(part)


def assignments(fragment: Fragment) -> Iterator[Assign]:
    """What a part assigns, under whatever conditions."""
    waiting = [each for group in fragment.statements.values() for each in group]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Switch):
            waiting += [inner for _, statements, _ in each.cases for inner in statements]
        elif isinstance(each, Assign):
            yield each


def shown_by_memories(fragment: Fragment) -> list[Value]:
    """What every read port of every memory shows."""
    return [
        port._data
        for part in parts(fragment)
        if isinstance(part, MemoryInstance)
        for port in part._read_ports
    ]


def states(fsm: Any) -> dict[str, Value]:
    """By its name, whether an FSM, whose component was elaborated, is in a state.

    Of a name that the FSM does not know, its own `ongoing` would make a new state, and a signal
    that nobody drives.
    """
    return {name: fsm.state == code for name, code in fsm.encoding.items()}


def state_exists(fsm: Any) -> Value:
    """The FSM is in one of its states: an induction may start from any pattern of the register."""
    return Cat(fsm.state == code for code in fsm.encoding.values()).any()


@dataclass(frozen=True)
class Queue:
    """A `SyncFIFO` inside a component: its level, `consistent` if that is the distance of its
    pointers, its first place, its depth, and its memory elaborated."""

    level: Value
    consistent: Value
    first: Value
    depth: int
    _storage: MemoryInstance

    def show(self, place: Value, word: Value) -> None:
        """Drive `word` with what is stored at `place`, by a port of its own."""
        self._storage.read_port(
            domain="comb", addr=place, data=word, en=C(1, 1), transparent_for=()
        )

    def shown_to(self, theorem: Any, *, holds: Value) -> Module:
        """Glue that drives `stored` with what is `ahead` places behind the first, and `consistent`:
        the queue holds as many as the theorem counts."""
        glue = Module()
        place = Signal.like(self.first, name="place")
        glue.d.comb += [
            place.eq(self.first + theorem.ahead),
            theorem.consistent.eq(self.consistent & (self.level == holds)),
        ]
        self.show(place, theorem.stored)
        return glue


def queue_inside(fragment: Fragment, fifo: SyncFIFO) -> Queue:
    """The inside of `fifo`, which is Amaranth's, in a component elaborated to `fragment`."""
    (queue,) = (part for part in parts(fragment) if fifo in (part.origins or ()))
    pointers = {register.name: register for register in registers(queue)}
    produce, consume = pointers["produce"], pointers["consume"]
    distance = (produce - consume)[: len(produce)]
    consistent = (fifo.level <= fifo.depth) & (fifo.level[: len(distance)] == distance)
    storage = queue.find_subfragment("storage")
    return Queue(fifo.level, consistent, consume, fifo.depth, storage)
