"""Beats between the stages and the array: each goes through, none overtakes another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies
from properties.followed import follow


@dataclass(eq=False, kw_only=True)
class _InOrder(Theorem):
    """What comes leaves once, unchanged and in order, and nothing else does.

    `comes` and `leaves` say that one does, `coming` and `offered` which; `places` are, from the
    entrance to the exit, whether one is held there, and which. About any one.
    """

    comes: Value
    coming: Value
    leaves: Value
    offered: Value
    places: Sequence[tuple[Value, Value]]

    def describe(self, m: Module) -> None:
        places, leaves = self.places, self.leaves

        inside = Signal(range(len(places) + 1))
        m.d.sync += inside.eq(inside + self.comes - leaves)
        # One that comes is looked at until it leaves; so many are in front of it.
        ahead, beat = Signal.like(inside), Signal.like(self.coming)
        one = follow(m, ahead, comes=self.comes, leaves=leaves, inside=inside)
        with m.If(one.begins):
            m.d.sync += beat.eq(self.coming)

        held = sum((valid for valid, _ in places), C(0))
        self.claim(
            "all_there",
            inside == held,
            "Those that came and did not leave are there, and no others.",
        )
        self.claim("none_invented", implies(leaves, inside != 0), "None leaves that did not come.")
        self.claim(
            "as_it_came",
            implies(one.its_turn, self.offered == beat),
            "When those in front of it are gone, it leaves as it came.",
        )
        found = [
            valid
            & (Value.cast(each) == beat)
            & (sum((v for v, _ in places[n + 1 :]), C(0)) == ahead)
            for n, (valid, each) in enumerate(places)
        ]
        self.claim(
            "behind_the_others",
            implies(one.looked_at, Cat(found).any()),
            "Until then it is in one of the places, behind them.",
        )

        self.witness("behind_others", one.looked_at & (ahead == len(places) - 1))
        self.witness("its_turn", one.its_turn & (beat != 0))


class BeatOrder(_InOrder):
    """Each beat that `Issue` takes leaves it once, unchanged and in order, and nothing else does.

    `issue` has the signature of `design.issue.Issue`; `places` are, from the entrance to the exit,
    whether a beat is held, and which. About any beat.
    """

    def __init__(self, issue: Any, places: Sequence[tuple[Value, Value]]):
        super().__init__(
            comes=issue.i.valid & issue.i.ready,
            coming=issue.i.payload.as_value(),
            leaves=issue.o.valid & issue.en,
            offered=issue.o.p.beat.as_value(),
            places=places,
        )


class PassesInOrder(_InOrder):
    """Each pass whose last beat enters the array leaves it once, with that beat and in order, and
    nothing else does, whenever the array stands still.

    `array` has the signature of `design.array.MultiplierArray`; `places` are the steps between its
    operands and its accumulators: whether a last beat is there, and which. About any pass.
    """

    def __init__(self, array: Any, places: Sequence[tuple[Value, Value]]):
        offered = array.o.p.beat.as_value()
        super().__init__(
            comes=array.en & array.i.valid & array.i.p.beat.last,
            coming=array.i.p.beat.as_value(),
            leaves=array.o.valid & array.o.ready,
            offered=offered,
            places=[*places, (array.o.valid, offered)],
        )
        self.array = array

    def describe(self, m: Module) -> None:
        super().describe(m)
        array = self.array
        waits = array.o.valid & ~array.o.ready
        self.suppose(
            "stands_still_meanwhile",
            implies(waits, ~array.en),
            "The array moves on only when its finished sums are taken.",
        )
        self.witness("taken_as_it_stands", array.o.valid & self.leaves & ~array.en)
