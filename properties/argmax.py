"""The classifier's end: room for every logit, their order, and the first index of the greatest."""

from typing import Any

from amaranth import *

from design.beat import Sink
from properties.dialect import Theorem, implies
from properties.followed import follow


class LogitRoom(Theorem):
    """If a logit leaves the drain only when `ready` is high, it finds room when it comes.

    `argmax` has the signature of `design.argmax.Argmax`; a logit comes `delay` cycles after it
    left. `level` is how many are queued, for the induction.
    """

    def __init__(self, argmax: Any, *, level: Value, depth: int, delay: int):
        self.argmax = argmax
        self.level = level
        self.depth = depth
        self.delay = delay

    def describe(self, m: Module) -> None:
        argmax = self.argmax
        comes = argmax.i.valid & (argmax.i.p.sink == Sink.CLS)
        was_ready = Signal(self.delay)
        m.d.sync += was_ready.eq(Cat(argmax.ready, was_ready))
        self.suppose(
            "left_when_ready",
            implies(comes, was_ready[-1]),
            "A logit that comes left the drain in a cycle in which there was room.",
        )

        self.claim("no_fault", ~argmax.fault, "No logit comes that finds no room.")
        room = self.level + sum(was_ready, C(0, 1)) <= self.depth
        self.claim(
            "room_for_those_on_their_way",
            room,
            "There is room for all that may be on their way: one for each cycle of `ready`.",
        )

        self.witness("no_more", ~argmax.ready)


class LogitOrder(Theorem):
    """Each logit that comes, and finds room, is taken once, unchanged and in order, and nothing
    else is: what was queued before a reset is never seen.

    About any logit. For the induction, `stored` must be driven with what the queue holds `ahead`
    places behind its first, and `consistent` says that its counters agree with `waiting`.
    """

    def __init__(self, argmax: Any, *, vocab: int, depth: int):
        self.argmax = argmax
        self.vocab = vocab
        self.waiting = Signal(range(depth + 1))
        self.ahead = Signal(range(depth + 1))
        self.stored = Signal.like(argmax.o_logits.payload.as_value())
        self.consistent = Signal()

    def describe(self, m: Module) -> None:
        argmax, waiting, ahead = self.argmax, self.waiting, self.ahead
        shown = argmax.o_logits.payload.as_value()
        comes = argmax.i.valid & (argmax.i.p.sink == Sink.CLS)
        taken = argmax.o_logits.valid & argmax.o_logits.ready
        last = argmax.i.p.row == self.vocab - 1
        coming = Cat(argmax.i.p.value[: len(shown) - 1], last)
        self.suppose("finds_room", ~argmax.fault, "A logit that comes finds room: `LogitRoom`.")

        m.d.sync += waiting.eq(waiting + comes - taken)
        # One logit that must wait is looked at until it is taken; so many are in front of it.
        logit = Signal.like(shown)
        must_wait = comes & ~((waiting == 0) & taken)
        one = follow(m, ahead, comes=must_wait, leaves=taken, inside=waiting)
        with m.If(one.begins):
            m.d.sync += logit.eq(coming)

        self.claim(
            "offered",
            argmax.o_logits.valid == (comes | (waiting != 0)),
            "A logit is offered exactly when one that came, now or before, was not taken.",
        )
        self.claim(
            "at_once",
            implies(comes & (waiting == 0), shown == coming),
            "One before which none waits is offered at once, as it came.",
        )
        self.claim(
            "as_it_came",
            implies(one.its_turn, shown == logit),
            "When those in front of it are gone, the logit is taken as it came.",
        )
        in_place = (ahead < waiting) & (self.stored == logit)
        self.claim(
            "in_its_place",
            implies(one.looked_at, in_place),
            "Until then it is in its place, behind them.",
        )
        self.claim("queued", self.consistent, "The queue holds those that wait, and no others.")

        self.witness("behind_three", one.looked_at & (ahead == 3))
        self.witness("its_turn", one.its_turn & (logit != 0))


class LastIsNew(Theorem):
    """In every cycle, `last` of the logits' stream is decided by the rows that came and the logits
    that were taken since the reset, whatever the queue held before.

    It is that of the logit that waits longest, or, where none waits, of the row that is there now.
    `stored` are the `last`s of the queue's places, that of its first first; `consistent` says that
    its counters agree with `waiting`.
    """

    def __init__(self, argmax: Any, *, vocab: int, stored: Signal):
        self.argmax = argmax
        self.vocab = vocab
        self.stored = stored
        self.waiting = Signal(range(len(stored) + 1))
        self.consistent = Signal()

    def describe(self, m: Module) -> None:
        argmax, waiting, depth = self.argmax, self.waiting, len(self.stored)
        is_last = argmax.i.p.row == self.vocab - 1
        comes = argmax.i.valid & (argmax.i.p.sink == Sink.CLS)
        ready = argmax.o_logits.ready
        # A logit waits unless it is taken at once. (One that finds no room is lost, a `fault`.)
        leaves = (waiting != 0) & ready
        waits = comes & ((waiting != 0) | ~ready) & (waiting != depth)
        lasts = Signal(depth)
        left = Signal(depth)
        left_waiting = Signal.like(waiting)
        m.d.comb += [left.eq(Mux(leaves, lasts >> 1, lasts)), left_waiting.eq(waiting - leaves)]
        m.d.sync += [lasts.eq(left), waiting.eq(left_waiting + waits)]
        with m.If(waits):
            m.d.sync += lasts.bit_select(left_waiting, 1).eq(is_last)

        shown = argmax.o_logits.payload.last
        self.claim(
            "last_is_new",
            shown == Mux(waiting != 0, lasts[0], is_last),
            "It is that of the first that waits, or of the row that is there.",
        )
        in_place = [(waiting <= n) | (self.stored[n] == lasts[n]) for n in range(depth)]
        self.claim("in_their_places", Cat(in_place).all(), "Those that wait are in their places.")
        self.claim("queued", self.consistent, "The queue holds those that wait, and no others.")

        self.witness("last_waits", (waiting == 3) & (lasts[:3] == 0b100))


class FirstOfTheGreatest(Theorem):
    """`best` is the first index of the greatest logit of those that came since row 0.

    `greatest` is the value that the component keeps for it.
    """

    def __init__(self, argmax: Any, *, vocab: int, greatest: Value):
        self.argmax = argmax
        self.vocab = vocab
        self.greatest = greatest

    def describe(self, m: Module) -> None:
        argmax = self.argmax
        comes = argmax.i.valid & (argmax.i.p.sink == Sink.CLS)
        # The row that comes next; one that the solver chooses, and its logit.
        row = Signal(range(self.vocab))
        chosen = Signal(range(self.vocab), name="row")
        self.choose(chosen, self.vocab)
        came = Signal()
        some_came = Signal()
        logit = Signal.like(argmax.o_logits.payload.value)
        with m.If(comes):
            m.d.sync += [row.eq(Mux(row == self.vocab - 1, 0, row + 1)), some_came.eq(1)]
            m.d.sync += came.eq((row == chosen) | (came & (row != 0)))
            with m.If(row == chosen):
                m.d.sync += logit.eq(argmax.i.p.value)
        self.suppose(
            "rows_in_order",
            implies(comes, argmax.i.p.row == row),
            "Logits come in the order of their rows.",
        )

        self.claim(
            "none_greater",
            implies(came, logit <= self.greatest),
            "None is greater than the greatest.",
        )
        before = came & (chosen < argmax.best)
        self.claim(
            "first", implies(before, logit < self.greatest), "Those before the best are less."
        )
        is_best = came & (chosen == argmax.best)
        self.claim("attained", implies(is_best, logit == self.greatest), "The best has that value.")
        rows = Mux(row == 0, self.vocab, row)
        one_came = some_came | (row != 0)
        self.claim(
            "best_came", implies(one_came, argmax.best < rows), "The best is a row that came."
        )
        self.claim("row_exists", row < self.vocab, "The row that comes next is one that there is.")

        best, came_before = Signal.like(argmax.best), Signal()
        m.d.sync += [best.eq(argmax.best), came_before.eq(comes)]
        self.claim(
            "best_stays",
            came_before | (argmax.best == best),
            "The best changes only behind a logit.",
        )

        self.witness("later_is_best", is_best & (chosen == 1) & (row == 3))
