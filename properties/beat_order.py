"""Beats between the stages and the array: each goes through, none overtakes another."""

from collections.abc import Sequence
from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies
from properties.followed import follow


class BeatOrder(Theorem):
    """Each beat that `Issue` takes leaves it once, unchanged and in order, and nothing else does.

    `issue` has the signature of `design.issue.Issue`; `places` are, from the entrance to the exit,
    what holds a beat and whether it does. About any beat. Obligations: 4.
    """

    def __init__(self, issue: Any, places: Sequence[tuple[Value, Value]]):
        self.issue = issue
        self.places = places

    def elaborate(self, platform):
        m = Module()
        issue, places = self.issue, self.places
        takes, leaves = issue.i.valid & issue.i.ready, issue.o_valid & issue.en
        comes, offered = issue.i.payload.as_value(), issue.o_beat.as_value()

        inside = Signal(range(len(places) + 1))
        m.d.sync += inside.eq(inside + takes - leaves)
        # One beat that is taken is looked at until it leaves; so many are in front of it.
        ahead, beat = Signal.like(inside), Signal.like(comes)
        one = follow(m, ahead, comes=takes, leaves=leaves, inside=inside)
        with m.If(one.begins):
            m.d.sync += beat.eq(comes)

        held = sum((valid for valid, _ in places), C(0))
        # Those that were taken and did not leave are there, and no others.
        m.d.comb += self.claim("all_there", inside == held)
        # No beat leaves that was not taken.
        m.d.comb += self.claim("none_invented", implies(leaves, inside != 0))
        # When those in front of it are gone, the beat leaves as it came.
        m.d.comb += self.claim("as_it_came", implies(one.its_turn, offered == beat))
        found = [
            valid
            & (Value.cast(each) == beat)
            & (sum((v for v, _ in places[n + 1 :]), C(0)) == ahead)
            for n, (valid, each) in enumerate(places)
        ]
        # Until then it is in one of the places, behind them.
        m.d.comb += self.claim("behind_the_others", implies(one.looked_at, Cat(found).any()))

        m.d.comb += self.witness("behind_three", one.looked_at & (ahead == len(places) - 1))
        m.d.comb += self.witness("its_turn", one.its_turn & (beat != 0))
        return m
