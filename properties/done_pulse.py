"""The start/done handshake, of anything that has one: a stage, a layer, the token sequencer.

Three theorems share one picture of the handshake. `DonePulse` is its safety, `DonePulseRanking`
its liveness with a latency bound, by a measure that falls, and `DonePulseFair` its liveness again
by liveness-to-safety, which needs to know nothing from inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import *

from properties.dialect import Theorem, implies


@dataclass(frozen=True)
class Handshake:
    """A `start` pulse, and the `done` pulse that answers it, at the earliest a cycle later."""

    name: str
    start: Value
    done: Value


class _Pulse(Theorem):
    """What the three theorems have in common.

    Parameters
    ----------
    own : Handshake
        `start` is given from outside, only while no start is pending; `done` is under proof.
    children : sequence of Handshake
        Handshakes the component drives from the other side: it gives `start`, and `done` answers
        that and nothing else.
    held : sequence of Value
        Inputs that keep their values from `start` to `done`.
    """

    def __init__(
        self, own: Handshake, *, children: Sequence[Handshake] = (), held: Sequence[Value] = ()
    ):
        self.own = own
        self.children = children
        self.held = Cat(held)
        self.pending = Signal()
        self.child_pending = [Signal(name=f"{child.name}_pending") for child in children]

    def observe(self, m: Module) -> dict[str, Value]:
        """Drive the pending flags; returns the promises of the environment, by name."""
        for handshake, pending in (
            (self.own, self.pending),
            *zip(self.children, self.child_pending, strict=True),
        ):
            with m.If(handshake.start):
                m.d.sync += pending.eq(1)
            with m.Elif(handshake.done):
                m.d.sync += pending.eq(0)

        promises = {"start_when_idle": ~(self.own.start & self.pending)}
        if len(self.held) > 0:
            before = Signal.like(self.held, name="held_before")
            m.d.sync += before.eq(self.held)
            promises["inputs_held"] = implies(self.pending, self.held == before)
        for child, pending in zip(self.children, self.child_pending, strict=True):
            promises[f"{child.name}_answers"] = implies(child.done, pending)
        return promises


class DonePulse(_Pulse):
    """Each done answers exactly one start and lasts one cycle; no child is started while it works.

    Obligations: 2, one for each child, one more with `active`, which must be high exactly while a
    start is pending and makes the theorem 1-inductive (PDR finds it by itself).
    """

    def __init__(self, own: Handshake, *, active: Value | None = None, **environment):
        super().__init__(own, **environment)
        self.active = active

    def elaborate(self, platform):
        m = Module()
        for name, promise in self.observe(m).items():
            m.d.comb += self.suppose(name, promise)
        done = self.own.done
        was_done = Signal()
        m.d.sync += was_done.eq(done)

        # No done without a start, and none twice for one.
        m.d.comb += self.claim("done_answers_a_start", implies(done, self.pending))
        # Done is a pulse.
        m.d.comb += self.claim("done_lasts_a_cycle", ~(done & was_done))
        for child, pending in zip(self.children, self.child_pending, strict=True):
            # A child is asked again only after it answered.
            m.d.comb += self.claim(f"{child.name}_asked_when_idle", ~(child.start & pending))
        if self.active is not None:
            # What the component calls active is exactly a pending start.
            m.d.comb += self.claim("active_while_pending", self.active == self.pending)

        done_before = Signal()
        with m.If(done):
            m.d.sync += done_before.eq(1)
        m.d.comb += self.witness("answered_twice", done & done_before)
        return m


class DonePulseRanking(_Pulse):
    """Each start is answered by done after at most `bound` cycles that are not stalled.

    Obligations: 4, and one for each invariant.

    Parameters
    ----------
    measure : Value
        Unsigned; how many un-stalled cycles are left, or more.
    stalled : Value
        The cycle waits for the environment. Under fairness stalls end, so that a measure that
        falls in all other cycles means an answer, always eventually.
    bound : int
        Un-stalled cycles from the one after `start` to the one before `done`, at most.
    invariants : mapping of str to Value
        What else the induction needs to know about the inside; claimed, not believed.
    """

    def __init__(
        self,
        own: Handshake,
        *,
        measure: Value,
        stalled: Value,
        bound: int,
        invariants: Mapping[str, Value] | None = None,
        **environment,
    ):
        super().__init__(own, **environment)
        self.measure = measure
        self.stalled = stalled
        self.bound = bound
        self.invariants = invariants or {}

    def elaborate(self, platform):
        m = Module()
        for name, promise in self.observe(m).items():
            m.d.comb += self.suppose(name, promise)

        # The cycle before: was it one of this start, was it stalled, what was left then.
        before = Signal.like(self.measure, name="measure_before")
        was_pending = Signal()
        was_stalled = Signal()
        m.d.sync += [
            before.eq(self.measure),
            was_pending.eq(self.pending & ~self.own.done),
            was_stalled.eq(self.stalled),
        ]

        # A cycle that is not stalled brings the end nearer.
        m.d.comb += self.claim("falls", implies(was_pending & ~was_stalled, self.measure < before))
        # A stalled cycle does not put it further off.
        m.d.comb += self.claim("never_rises", implies(was_pending, self.measure <= before))
        # With nothing left, done is there: the measure cannot run out without an answer.
        m.d.comb += self.claim(
            "done_at_zero", implies(self.pending & (self.measure == 0), self.own.done)
        )
        # From the start on, no more is left than the latency promises.
        m.d.comb += self.claim("bounded", implies(self.pending, self.measure <= self.bound))
        for name, invariant in self.invariants.items():
            # What the induction needs to know about the inside.
            m.d.comb += self.claim(name, invariant)

        m.d.comb += self.witness("answered", self.own.done)
        m.d.comb += self.witness("stalled", self.pending & self.stalled)
        return m


class DonePulseFair(_Pulse):
    """If every stall ends, each start is answered by done, always eventually.

    States its claims on outputs, as liveness-to-safety wants them; see `outputs`. Obligations: 1.

    Parameters
    ----------
    stalls : mapping of str to Value
        Waits for the environment: each is low again and again. Waiting for a child is one more.
    """

    def __init__(self, own: Handshake, *, stalls: Mapping[str, Value], **environment):
        super().__init__(own, **environment)
        self.stalls = dict(stalls)
        for child, pending in zip(self.children, self.child_pending, strict=True):
            self.stalls[child.name] = pending & ~child.done
        self.answered = Signal()
        self.moving = {name: Signal(name=f"{name}_moving") for name in self.stalls}

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem: assumptions, and the claim."""
        assumed = {f"assume_fair_{name}": moving for name, moving in self.moving.items()}
        return {**assumed, "assert_fair_answered": self.answered}

    def elaborate(self, platform):
        m = Module()
        # A run in which the environment broke a promise counts as answered from then on.
        kept = Cat(self.observe(m).values()).all()
        broken = Signal()
        with m.If(~kept):
            m.d.sync += broken.eq(1)

        # Infinitely often, no start is waiting for its answer.
        m.d.comb += self.answered.eq(~self.pending | broken | ~kept)
        # Infinitely often, each kind of stall is over.
        m.d.comb += [self.moving[name].eq(~stall) for name, stall in self.stalls.items()]

        m.d.comb += self.witness("answered", self.own.done & ~broken & kept)
        return m
