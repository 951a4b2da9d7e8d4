"""The third detector: the tests that stand nearest to a mutant."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mutate.answer import Answer
from mutate.baseline import Broken, Progress, digest
from mutate.cases import Case
from mutate.process import call, simulations
from tools.files import write_atomically
from tools.nearest import nearest

#: Folders of tests of what is mutated; the fuzzing is a detector of its own.
FOLDERS = ("spec", "design", "golden", "sim")
#: How many files of tests are asked, and the CPU seconds that one of them may take.
MOST_FILES = 3
LIMIT = 90.0


def asked(path: str) -> tuple[str, ...]:
    """The files of tests that are asked about a file."""
    return nearest(path, FOLDERS)[:MOST_FILES]


class Tests:
    """Runs the nearest tests on mutants; each file first on the unchanged sources, which is
    remembered in `folder`."""

    def __init__(self, folder: Path, progress: Progress):
        self.folder = folder
        self.progress = progress
        self._known = folder / f"tests-{digest(judging=True)}.json"
        known = self._known.read_text("utf-8") if self._known.is_file() else "{}"
        self._usable: dict[str, bool] = json.loads(known)

    def run(self, cases: Sequence[Case]) -> None:
        """Ask the tests of each case, until one fails."""
        for number, case in enumerate(cases, 1):
            for test in asked(case.path):
                if not self._is_usable(test):
                    continue
                self.progress(f"tests: {number}/{len(cases)} {case.name}: {test}")
                answer = self._call(test, self.folder, path=case.path, content=case.change.content)
                case.asks("unit tests", answer.seconds)
                if not answer.is_known:
                    case.undecided.append(f"{test}: {answer.detail}")
                elif answer.status != "done":
                    case.killed("unit tests", f"{test}: {answer.detail}")
                elif answer.value["failed"]:
                    case.killed("unit tests", answer.value["failed"])
                if case.kills:
                    break

    def _is_usable(self, test: str) -> bool:
        """Whether a file of tests ends in time without anything built before, as it has to of a
        mutant; raises Broken if it fails on what is unchanged."""
        if test not in self._usable:
            self.progress(f"tests: {test} as it is")
            with tempfile.TemporaryDirectory() as empty:
                answer = self._call(test, Path(empty))
            if answer.status != "late" and (answer.status != "done" or answer.value["failed"]):
                failed = answer.detail or answer.value["failed"]
                raise Broken(f"{test} fails on the unchanged sources: {failed}")
            self._usable[test] = answer.status == "done" and answer.value["passed"] > 0
            write_atomically(self._known, json.dumps(self._usable))
        return self._usable[test]

    def _call(self, test: str, builds: Path, **changed: Any) -> Answer:
        return call(
            "mutate.inside.tests:run", (test,), limit=LIMIT,
            environment=simulations(builds), log=self.folder / "log.txt", **changed,
        )  # fmt: skip
