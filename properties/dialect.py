"""The formal vocabulary. Amaranth's own is imported here and nowhere else.

Amaranth gives assertion cells automatic names. Here every claim carries the name of its property
as the cell's message; the runner renames the cell after it, so that solvers, traces and reports
all speak of properties.
"""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from amaranth import *
from amaranth.asserts import AnyConst, AnySeq
from amaranth.hdl import Assert, Assume, Cover, ValueLike

__all__ = [
    "APART",
    "ASSERT_FAIR",
    "ASSUME_FAIR",
    "CHOSEN",
    "CUT",
    "REACHES",
    "Condition",
    "OneOf",
    "Paths",
    "Stated",
    "Statement",
    "Theorem",
    "anything",
    "implies",
    "stated",
]

#: A condition and its sentence; or a condition alone, whose sentence its theorem knows.
Stated = tuple[Value, str]
Condition: TypeAlias = "Value | Stated"

#: Suppositions so called say what a theorem is about, and nothing of the surroundings.
CHOSEN = "chosen_"
#: Outputs so called state liveness: high infinitely often, by claim or by assumption.
ASSERT_FAIR = "assert_fair_"
ASSUME_FAIR = "assume_fair_"
#: Pairs of outputs so called, ``apart_from_x`` and ``apart_to_x``, state that no path
#: leads from one to the other; those of `REACHES`, that one does. None leads through a `CUT`.
APART = "apart_"
REACHES = "reaches_"
CUT = "cut_"
#: For explicit-state model checking: the abstraction of a `CUT` (else it is free); registers with a
#: valid qualifier, a register of one bit.
STAND_IN = "stand_in_"
HELD = "held_"
HOLDER = "holder_"
#: Outputs so called: a loop that goes on infinitely often ends infinitely often, by assumption.
LOOP_GOES_ON = "loop_goes_on"
LOOP_ENDS = "loop_ends"


Kind = Literal["assert", "assume", "cover"]


@dataclass(frozen=True)
class Statement:
    """What a theorem states: its `sentence`, empty where the name says all, and `where` in the
    source (path, line)."""

    kind: Kind
    name: str
    condition: Value
    sentence: str
    where: tuple[str, int]

    @property
    def text(self) -> str:
        """The sentence, or in its place the name in words."""
        return self.sentence or self.name.replace("_", " ")


class Theorem(Elaboratable):
    """Base of all theorems; the docstring of a subclass is the theorem in one sentence.

    A subclass watches signals of a component, adds shadow state of its own, and makes statements,
    all in `describe`; a name is used once in a theorem. The sentence of a statement is what
    `python -m formal explain` and the report of a failure print.
    """

    #: Of a theorem that was turned around (`duties`): how the names of its claims begin.
    _duties: str | None = None
    _without: Collection[str] = ()
    #: Where statements go: the module that is described.
    _module: Module

    @classmethod
    def sentence(cls) -> str:
        """The theorem: the first paragraph of the docstring."""
        return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())

    def elaborate(self, platform):
        self._module = m = Module()
        self.describe(m)
        return m

    def describe(self, m: Module) -> None:
        """Add the shadow state to `m`, and state what is supposed, claimed and witnessed."""
        raise NotImplementedError

    def duties(self, prefix: str, *, without: Collection[str] = ()) -> Self:
        """Turn the theorem around: it claims what it supposed, as ``prefix_name``, and no more.

        Beside a component that is part of a larger design, it states what that design owes the
        component. So a supposition and the claim that pays for it are one statement in the source.
        Those `without` are left out.
        """
        self._duties, self._without = prefix, without
        return self

    def besides(self) -> tuple[str, ...]:
        """What the theorem supposes beside its statements, by name: abstractions of cutpoints, that
        a path through one does not count, promises that liveness is claimed under."""
        return ()

    @property
    def statements(self) -> list[Statement]:
        """What was stated when this theorem was elaborated, in order."""
        return self.__dict__.setdefault("_statements", [])

    def claim(self, name: str, condition: ValueLike, sentence: str) -> None:
        """An obligation: `condition` holds in every cycle in which this statement is active."""
        if self._duties is None:
            self._state("assert", name, condition, sentence)

    def claims(self, sentence: str, **conditions: ValueLike) -> None:
        """Several obligations with one sentence, by name."""
        if self._duties is None:
            for name, condition in conditions.items():
                self._state("assert", name, condition, sentence)

    def claim_inside(self, invariants: Mapping[str, Value]) -> None:
        """Obligations about the inside of the component, which the harness names."""
        self.claims("A statement about the inside, which the harness names.", **invariants)

    def suppose(self, name: str, condition: ValueLike, sentence: str = "") -> None:
        """The environment's half of the contract: only runs in which `condition` holds count."""
        self._suppose(name, condition, condition, sentence)

    def suppose_before(self, name: str, condition: ValueLike, sentence: str = "") -> None:
        """As `suppose`, but of the cycles before this one: so what pays for it may in turn rest on
        the claims of this theorem, by induction over time."""
        kept = Signal(init=1, name=f"{name}_until_now")
        self._module.d.sync += kept.eq(condition)
        self._suppose(name, kept, condition, sentence)

    def _suppose(self, name: str, supposed: ValueLike, owed: ValueLike, sentence: str) -> None:
        if self._duties is None:
            self._state("assume", name, supposed, sentence)
        elif name not in self._without:
            self._state("assert", f"{self._duties}_{name}", owed, sentence)

    def witness(self, name: str, condition: ValueLike, sentence: str = "") -> None:
        """Some run makes `condition` true: the claims are not met for want of an occasion."""
        if self._duties is None:
            self._state("cover", name, condition, sentence)

    def _state(self, kind: Kind, name: str, condition: ValueLike, sentence: str) -> None:
        """Make a statement; its place is that of the caller outside this file."""
        caller = sys._getframe(1)
        while caller.f_code.co_filename == __file__ and caller.f_back:
            caller = caller.f_back
        where = (caller.f_code.co_filename, caller.f_lineno)
        self.statements.append(Statement(kind, name, Value.cast(condition), sentence, where))
        cell = {"assert": Assert, "assume": Assume, "cover": Cover}[kind]
        self._module.d.comb += cell(condition, name)

    def choose(self, signal: Signal, size: int, *, fixed: int | None = None) -> None:
        """Let the solver pick `signal`, once and for all cycles, out of range(size); or take the
        one that is `fixed`: a bug found in one is found."""
        if self._duties is not None:
            return  # what is owed depends on no choice
        if fixed is not None:
            self._module.d.comb += signal.eq(fixed)
        elif len(signal) > 0:
            self._module.d.comb += signal.eq(self.constant(len(signal)))
        self.suppose(f"{CHOSEN}{signal.name}_exists", signal < size, "What is chosen exists.")

    def constant(self, bits: int) -> Value:
        """What the solver picks, once and for all cycles."""
        return AnyConst(bits)


class OneOf:
    """One of `size` that are alike, by its number `which`: the solver chooses it, if the theorem
    lets it, unless it is `fixed`."""

    def __init__(self, size: int, name: str, *, fixed: int | None = None):
        self.which = Signal(range(size), name=name)
        self.size = size
        self.fixed = fixed

    def choose(self, theorem: Theorem) -> None:
        """State in `theorem` which it is; see `Theorem.choose`."""
        theorem.choose(self.which, self.size, fixed=self.fixed)

    def of(self, each: Iterable[Value]) -> Value:
        """What belongs to it, of all."""
        return Array(each)[self.which]


class Paths(Theorem):
    """Base of theorems about structural reachability: what may depend on what.

    States its claims on outputs of the model; see `outputs`.
    """

    def __init__(self) -> None:
        self._ends: dict[str, Value] = {}

    def apart(self, name: str, sources: ValueLike, sinks: ValueLike) -> None:
        """An obligation: no bit of `sources` reaches one of `sinks`."""
        self._ends |= {f"{APART}from_{name}": sources, f"{APART}to_{name}": sinks}

    def reaches(self, name: str, sources: ValueLike, sinks: ValueLike) -> None:
        """There is such a path: a witness that paths are found."""
        self._ends |= {f"{REACHES}from_{name}": sources, f"{REACHES}to_{name}": sinks}

    def cut(self, name: str, value: ValueLike) -> None:
        """Paths through `value` do not count."""
        self._ends[f"{CUT}{name}"] = value

    def besides(self) -> tuple[str, ...]:
        return tuple(name for name in self._ends if name.startswith(CUT))

    def outputs(self) -> dict[str, Signal]:
        """The outputs of a model that states this theorem."""
        self._signals = {
            name: Signal(len(Value.cast(value)), name=name) for name, value in self._ends.items()
        }
        return self._signals

    def describe(self, m: Module) -> None:
        m.d.comb += [self._signals[name].eq(value) for name, value in self._ends.items()]


def stated(condition: Condition, sentence: str) -> Stated:
    """`condition` with the sentence that it brings, or else with this one."""
    return condition if isinstance(condition, tuple) else (condition, sentence)


def implies(antecedent: ValueLike, consequent: ValueLike) -> Value:
    """``antecedent -> consequent`` for one-bit values."""
    return ~Value.cast(antecedent).bool() | Value.cast(consequent).bool()


def anything(bits: int) -> Value:
    """What the solver likes, anew in every cycle."""
    return AnySeq(bits)
