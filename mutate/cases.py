"""A mutant on its way through the detectors, and the verdict at the end."""

from dataclasses import dataclass, field
from typing import Literal

from mutate.pool import Change, Mutant

#: The detectors in the order in which they are asked, the cheapest first.
DETECTORS = ("elaboration", "comparison", "unit tests", "proofs", "fuzzing")
#: Those that count as fuzzing, and as formal, in the scores.
FUZZ, FORMAL = ("comparison", "fuzzing"), ("proofs",)

Status = Literal["KILLED", "EQUIVALENT", "SURVIVOR"]


@dataclass(frozen=True)
class Kill:
    """`detector` saw the mutant: what it reports, in which clock cycle if there is one."""

    detector: str
    detail: str
    cycle: int | None = None


@dataclass
class Case:
    """A mutant, or a control, and what is known about it so far.

    `name` is unique in the run. `seconds` are those that each detector took on it; `asked` are the
    detectors that had something to say about it. `undecided` says what did not come to an end.
    """

    name: str
    path: str
    change: Change
    mutant: Mutant | None = None
    kills: list[Kill] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    #: The decoders whose netlist the changed statement is part of, and those where it, or golden,
    #: comes out other, or not in time.
    executed_in: list[str] = field(default_factory=list)
    differs_in: list[str] = field(default_factory=list)
    #: Those of the latter in which it is proved to be equivalent all the same.
    proved_in: list[str] = field(default_factory=list)
    #: The theorems whose models it is a part of, the narrowest first.
    theorems: list[str] = field(default_factory=list)

    def asks(self, detector: str, seconds: float) -> None:
        """Note that `detector` took `seconds` on this mutant."""
        if detector not in self.asked:
            self.asked.append(detector)
        self.seconds[detector] = self.seconds.get(detector, 0.0) + seconds

    def killed(self, detector: str, detail: str, cycle: int | None = None) -> None:
        """Note a kill, the first of each detector."""
        if all(kill.detector != detector for kill in self.kills):
            line = " ".join(detail.split())
            self.kills.append(Kill(detector, line[:400], cycle))

    @property
    def room(self) -> str:
        """The room of its file."""
        return self.path.partition("/")[0]

    @property
    def equivalent(self) -> bool:
        """Whether it is executed, and yet makes netlists that are the same or proved equivalent.

        That is an answer for code that does nothing else: not for golden, which computes.
        """
        same = set(self.differs_in) == set(self.proved_in)
        return bool(self.executed_in) and same and self.room != "golden"

    @property
    def status(self) -> Status:
        """The verdict."""
        if self.kills:
            return "KILLED"
        return "EQUIVALENT" if self.equivalent else "SURVIVOR"

    @property
    def reason(self) -> str:
        """The verdict's reason, in one line."""
        if self.kills:
            first = self.kills[0]
            cycle = "" if first.cycle is None else f" (cycle {first.cycle})"
            return f"{first.detector}: {first.detail}{cycle}"
        if self.equivalent:
            same = [name for name in self.executed_in if name not in self.proved_in]
            reasons = [f"identical netlists of {', '.join(same)}"] if same else []
            if self.proved_in:
                reasons.append(
                    f"proved by ABC of the changed modules of {', '.join(self.proved_in)}"
                )
            return "; ".join(reasons)
        return "; ".join(self.undecided) or "no detector saw it"
