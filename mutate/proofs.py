"""The last detector: the theorems about components that the mutant is a part of."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutate.baseline import Broken, Progress, checked, digest, executed
from mutate.cases import Case
from mutate.pool import ROOMS
from mutate.process import call
from tools.files import write_atomically

#: Seconds of CPU time: a theorem that takes longer on the unchanged sources is not asked; all
#: theorems about one mutant; and what each of them may take, at least, or so many times what it
#: takes on the unchanged sources.
SLOWEST, BUDGET, LEAST, PATIENCE = 60.0, 180.0, 20.0, 4


@dataclass(frozen=True)
class Theorem:
    """A theorem on the unchanged sources: how long it takes, and the lines of its components."""

    task: str
    seconds: float
    lines: dict[str, list[int]]


def theorems(folder: Path, progress: Progress) -> list[Theorem]:
    """All theorems that are quick enough, the quickest first; each is remembered in `folder`."""
    path = folder / f"theorems-{digest()}.json"
    known: dict[str, dict[str, Any] | None] = {}
    if path.is_file():
        known = json.loads(path.read_text("utf-8"))
    tasks = checked(call("mutate.inside.proofs:tasks")).value
    for number, task in enumerate(tasks, 1):
        if task not in known:
            progress(f"proofs: {number}/{len(tasks)} {task} as it is")
            theorem = _theorem(task, folder)
            known[task] = dataclasses.asdict(theorem) if theorem else None
            write_atomically(path, json.dumps(known))
    quick = [Theorem(**entry) for entry in known.values() if entry]
    return sorted(quick, key=lambda theorem: theorem.seconds)


def _theorem(task: str, folder: Path) -> Theorem | None:
    """A theorem as it is, if it is quick enough; raises Broken if it is refuted."""
    answer = call(
        "mutate.inside.proofs:prove", task, folder / "formal", False,
        limit=SLOWEST, observe=ROOMS, log=folder / "log.txt",
    )  # fmt: skip
    if answer.status == "late" or (answer.value and answer.value["undecided"][:7] == "TIMEOUT"):
        return None
    if answer.status != "done" or answer.value["undecided"] or answer.value["refuted"]:
        refuted = answer.detail or answer.value["undecided"] or answer.value["refuted"]
        raise Broken(f"{task} is not proved of the unchanged sources: {refuted}")
    lines = {path: sorted(numbers) for path, numbers in answer.lines.items()}
    return Theorem(task, answer.seconds, lines)


class Proofs:
    """Proves the theorems whose models execute the changed statement, the quickest first."""

    def __init__(self, folder: Path, progress: Progress):
        self.folder = folder
        self.progress = progress

    def run(self, cases: Sequence[Case]) -> None:
        """Ask about each case until a theorem is refuted, or its budget is used up."""
        if not cases:
            return
        known = theorems(self.folder, self.progress)
        for number, case in enumerate(cases, 1):
            statement = case.change.statement
            asked = [entry for entry in known if executed(entry.lines, case.path, statement)]
            narrowest = sorted(asked, key=lambda entry: sum(map(len, entry.lines.values())))
            case.theorems = [entry.task for entry in narrowest]
            left = BUDGET
            for theorem in asked:
                self.progress(f"proofs: {number}/{len(cases)} {case.name}: {theorem.task}")
                left -= self._prove(case, theorem, self._limit(theorem, left))
                if case.kills and case.kills[-1].detector == "proofs":
                    break
                if left <= 0:
                    case.undecided.append(f"proofs: not all in {BUDGET:.0f} s of CPU time")
                    break

    def _limit(self, theorem: Theorem, left: float) -> float:
        return min(left, max(LEAST, PATIENCE * theorem.seconds))

    def _prove(self, case: Case, theorem: Theorem, limit: float) -> float:
        """Prove one theorem under the mutant; returns the seconds that it took."""
        answer = call(
            "mutate.inside.proofs:prove", theorem.task, self.folder / "formal",
            path=case.path, content=case.change.content, limit=limit, log=self.folder / "log.txt",
        )  # fmt: skip
        case.asks("proofs", answer.seconds)
        if not answer.is_known or (answer.value and answer.value["undecided"]):
            why = answer.detail or answer.value["undecided"]
            case.undecided.append(f"proofs: {theorem.task}: {why}")
        elif answer.status != "done":
            case.killed("proofs", f"{theorem.task}: {answer.detail}")
        elif answer.value["refuted"]:
            refuted = f"{theorem.task}: {answer.value['refuted']}"
            case.killed("proofs", refuted, answer.value["cycle"])
        return answer.seconds
