"""The start/done handshake, of anything that has one: a stage, a layer, the token sequencer.

Three theorems share one picture of the handshake. `DonePulse` is its safety, `DonePulseRanking`
its liveness with a latency bound, by a measure that falls, and `DonePulseFair` its liveness again
by liveness-to-safety, which needs to know nothing from inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from amaranth import *

from properties.dialect import ASSERT_FAIR, ASSUME_FAIR, Stated, Theorem, implies


@dataclass(frozen=True)
class Handshake:
    """A `start` pulse, and the `done` pulse that answers it, at the earliest a cycle later."""

    name: str
    start: Value
    done: Value


def _nothing(pending: Sequence[Value]) -> dict[str, Value]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A handshake under proof, what its environment promises, and invariants for the induction.

    `own` is started from outside, while it is idle or, unless it `starts_apart`, in the cycle of
    its `done`. Each of `children` is started by the component, and while that works answers it and
    nobody else.
    `stalls` are waits for the environment, by name, beside those for children. `promises` are
    further promises about inputs. `invariants` gives statements about the inside, from the
    children's pending flags: claimed, not believed. `active`, if given, is high exactly while a
    start is pending.
    """

    own: Handshake
    children: Sequence[Handshake] = ()
    starts_apart: bool = False
    stalls: Mapping[str, Value] = field(default_factory=dict)
    promises: Mapping[str, Value] = field(default_factory=dict)
    invariants: Callable[[Sequence[Value]], Mapping[str, Value]] = _nothing
    active: Value | None = None


class _Pulse(Theorem):
    """The picture: who has been started and has not answered, who waits for whom."""

    def __init__(self, setting: Setting):
        self.setting = setting
        self.pending = Signal()
        self.child_pending = [Signal(name=f"{child.name}_pending") for child in setting.children]
        self.stalls = dict(setting.stalls)
        for child, pending in self._children():
            self.stalls[child.name] = pending & ~child.done

    def _children(self) -> list[tuple[Handshake, Signal]]:
        return list(zip(self.setting.children, self.child_pending, strict=True))

    def observe(self, m: Module) -> None:
        """Drive the pending flags."""
        for handshake, pending in ((self.setting.own, self.pending), *self._children()):
            with m.If(handshake.start):
                m.d.sync += pending.eq(1)
            with m.Elif(handshake.done):
                m.d.sync += pending.eq(0)

    def promises(self) -> dict[str, Stated]:
        """What the environment promises, by name."""
        own = self.setting.own
        apart = {
            "start_after_done": (
                ~(own.start & own.done),
                "A start comes in a later cycle than the answer before it.",
            )
        }
        answers = "While the start is pending, a child answers what it was asked and nothing else."
        return {
            "start_when_idle": (
                ~(own.start & self.pending & ~own.done),
                "A start comes while none is pending, or in the cycle of the answer.",
            ),
            **{
                f"{child.name}_answers": (implies(child.done & self.pending, p), answers)
                for child, p in self._children()
            },
            **{name: (promise, "") for name, promise in self.setting.promises.items()},
            **(apart if self.setting.starts_apart else {}),
        }

    def follow(self, m: Module) -> None:
        """Drive the pending flags, suppose the promises, claim what the induction needs to know."""
        self.observe(m)
        for name, promise in self.promises().items():
            self.suppose(name, *promise)
        if self.setting.active is not None:
            self.claim(
                "active_while_pending",
                self.setting.active == self.pending,
                "What the component calls active is exactly a pending start.",
            )
        self.claim_inside(self.setting.invariants(self.child_pending))


class DonePulse(_Pulse):
    """Each done answers exactly one start and lasts one cycle; no child is started while it works.

    Obligations: 2, and one for each child, for `active`, and for each invariant.
    """

    def describe(self, m: Module) -> None:
        self.follow(m)
        done = self.setting.own.done
        was_done = Signal()
        done_before = Signal()
        m.d.sync += was_done.eq(done)
        with m.If(done):
            m.d.sync += done_before.eq(1)

        self.claim(
            "done_answers_a_start",
            implies(done, self.pending),
            "No done without a start, and none twice for one.",
        )
        self.claim("done_lasts_a_cycle", ~(done & was_done), "Done is a pulse.")
        for child, pending in self._children():
            busy = pending & ~child.done
            self.claim(
                f"{child.name}_asked_when_idle",
                ~(child.start & busy),
                "A child is asked again only once it has answered.",
            )

        self.witness("answered_twice", done & done_before)


class DonePulseRanking(_Pulse):
    """Each start is answered by done, after at most `bound` cycles that are not stalled.

    Under fairness stalls end, so a measure of what is left that falls in every other cycle means
    an answer, always eventually. Obligations: 4, and one for `active` and for each invariant.

    Parameters
    ----------
    setting : Setting
    measure : Value
        Unsigned; how many un-stalled cycles are left before the one of `done`.
    bound : int
        The measure in the cycle after `start`, at most.
    """

    def __init__(self, setting: Setting, *, measure: Value, bound: int):
        super().__init__(setting)
        self.measure = measure
        self.bound = bound

    def describe(self, m: Module) -> None:
        self.follow(m)
        done = self.setting.own.done
        stalled = Cat(self.stalls.values()).any()

        # The cycle before: was the same start pending, was it stalled, what was left then.
        before = Signal.like(self.measure, name="measure_before")
        was_pending = Signal()
        was_stalled = Signal()
        m.d.sync += [
            before.eq(self.measure),
            was_pending.eq(self.pending & ~done),
            was_stalled.eq(stalled),
        ]

        self.claim(
            "falls",
            implies(was_pending & ~was_stalled, self.measure < before),
            "A cycle that is not stalled brings the end nearer.",
        )
        self.claim(
            "never_rises",
            implies(was_pending, self.measure <= before),
            "A stalled cycle does not put it further off.",
        )
        self.claim(
            "done_at_zero",
            implies(self.pending & (self.measure == 0), done),
            "With nothing left, done is there: the measure cannot run out without an answer.",
        )
        self.claim(
            "bounded",
            implies(self.pending, self.measure <= self.bound),
            "From the start on, no more is left than the latency promises.",
        )

        self.witness("started", self.pending & (self.measure != 0))
        self.witness("stalled", self.pending & stalled)


class DonePulseFair(_Pulse):
    """If every stall ends, each start is answered by done, always eventually.

    States its claim on an output of the model, as liveness-to-safety wants it; see `outputs`.
    """

    def __init__(self, setting: Setting):
        super().__init__(setting)
        self.answered = Signal()
        self.moving = {name: Signal(name=f"{name}_moving") for name in self.stalls}

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem: assumptions, and the claim."""
        assumed = {f"{ASSUME_FAIR}{name}": moving for name, moving in self.moving.items()}
        return {**assumed, f"{ASSERT_FAIR}answered": self.answered}

    def besides(self) -> tuple[str, ...]:
        return tuple(self.promises())

    def describe(self, m: Module) -> None:
        # A run in which the environment broke its contract counts as answered from then on.
        self.observe(m)
        kept = Cat(promise for promise, _ in self.promises().values()).all()
        broken = Signal()
        with m.If(~kept):
            m.d.sync += broken.eq(1)

        # Infinitely often, no start is waiting for its answer any more.
        answered = ~self.pending | self.setting.own.done
        m.d.comb += self.answered.eq(answered | broken | ~kept)
        # Infinitely often, each kind of stall is over.
        m.d.comb += [self.moving[name].eq(~stall) for name, stall in self.stalls.items()]

        self.witness("started", self.pending & ~broken & kept)
