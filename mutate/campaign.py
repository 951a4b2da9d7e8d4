"""A campaign: chosen mutants, and the controls, through all detectors to a verdict each."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutate import baseline, pool
from mutate.baseline import Progress
from mutate.cases import FUZZ, Case, Kill
from mutate.controls import Control
from mutate.equivalence import Equivalence
from mutate.fuzzing import Fuzzing
from mutate.judged import DECODERS
from mutate.pool import Mutant
from mutate.proofs import Proofs
from mutate.rounds import Round
from mutate.unit_tests import Tests
from tools.files import write_atomically

#: Mutants that are judged together and then remembered.
CHUNK = 48


@dataclass
class Campaign:
    """Judges mutants in `folder`, where verdicts are remembered as long as no source changes.

    With `every`, every detector is asked about every mutant, for the scores of each alone;
    otherwise none after the first kill. Tests and proofs may be left out, and `decoders`; `fuzz`
    adds the fuzzing.
    """

    folder: Path
    progress: Progress
    every: bool = False
    proofs: bool = True
    tests: bool = True
    fuzz: bool = False
    decoders: tuple[str, ...] = DECODERS

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._decoders = baseline.decoders(self.decoders, self.folder, self.progress)
        self._equivalence = Equivalence(self._decoders, self.folder, self.progress)
        self._tests = Tests(self.folder, self.progress)
        self._proofs = Proofs(self.folder, self.progress)
        self._fuzzing = Fuzzing(self.folder, self.progress)

    def run(self, mutants: Sequence[Mutant]) -> Iterator[Case]:
        """Judge `mutants`; each is yielded as soon as its verdict stands."""
        yield from self.judge(cases_of(mutants))

    def judge(self, cases: Sequence[Case]) -> Iterator[Case]:
        """As `run`, of cases that nobody has judged."""
        known = self._remembered()
        for case in cases:
            if case.name in known:
                yield _recalled(case, known[case.name])
        left = [case for case in cases if case.name not in known]
        for begin in range(0, len(left), CHUNK):
            chunk = left[begin : begin + CHUNK]
            self._judge(chunk)
            self._remember(known, chunk)
            yield from chunk

    def check(self, controls: Sequence[Control]) -> list[str]:
        """Judge the controls; returns a sentence for each with a wrong verdict."""
        known = self._remembered()
        cases = [control.case() for control in controls]
        left = [case for case in cases if case.name not in known]
        self._judge(left, every=False)
        self._remember(known, left)
        done = [_recalled(c, known[c.name]) if c.name in known else c for c in cases]
        wrong = [control.wrong(case) for control, case in zip(controls, done, strict=True)]
        return [sentence for sentence in wrong if sentence]

    def _judge(self, cases: Sequence[Case], *, every: bool | None = None) -> None:
        every = self.every if every is None else every

        def open_for(*detectors: str) -> list[Case]:
            """Those to ask about: not killed yet, or not by any of these."""
            return [
                case
                for case in cases
                if not any(every is False or kill.detector in detectors for kill in case.kills)
            ]

        for decoder in self._decoders:
            Round(decoder, self.folder, self.progress).run(open_for("elaboration", "comparison"))
        unseen = [case for case in cases if case.room == "design" and case.status == "SURVIVOR"]
        self._equivalence.run([case for case in unseen if case.differs_in])
        if self.tests:
            self._tests.run(open_for("elaboration"))
        if self.proofs:
            # What makes no other netlist has the same theorems, too.
            self._proofs.run([case for case in open_for("elaboration") if not case.equivalent])
        if self.fuzz:
            self._fuzzing.run([case for case in open_for(*FUZZ) if not case.equivalent])

    @property
    def _memory(self) -> Path:
        asked = (self.every, self.proofs, self.tests, self.fuzz, self.decoders)
        key = hashlib.sha256(f"{asked}{baseline.digest(judging=True)}".encode()).hexdigest()[:16]
        return self.folder / f"verdicts-{key}.json"

    def _remember(self, known: dict[str, dict], cases: Sequence[Case]) -> None:
        """Remember what was decided; what was not may be, in the next run."""
        decided = [case for case in cases if case.status != "SURVIVOR" or not case.undecided]
        known |= {case.name: _memory(case) for case in decided}
        write_atomically(self._memory, json.dumps(known))

    def _remembered(self) -> dict[str, dict]:
        return json.loads(self._memory.read_text("utf-8")) if self._memory.is_file() else {}


def cases_of(mutants: Sequence[Mutant]) -> list[Case]:
    """Mutants as cases that nobody has judged."""
    return [Case(m.name, m.path, pool.change(m), m) for m in mutants]


_KEPT = ("asked", "seconds", "undecided", "executed_in", "differs_in", "proved_in", "theorems")


def _memory(case: Case) -> dict:
    kills = [dataclasses.asdict(kill) for kill in case.kills]
    return {"kills": kills, **{name: getattr(case, name) for name in _KEPT}}


def _recalled(case: Case, memory: dict) -> Case:
    kills = [Kill(**kill) for kill in memory["kills"]]
    return dataclasses.replace(case, kills=kills, **{name: memory[name] for name in _KEPT})
