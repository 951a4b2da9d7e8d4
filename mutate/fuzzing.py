"""The fuzzing as a detector: the examples of `tests/fuzz`, always the same, up to the first red."""

from collections.abc import Sequence
from pathlib import Path

from mutate.baseline import Progress
from mutate.cases import Case
from mutate.process import call, simulations

TESTS = "tests/fuzz/test_decoder.py"
#: CPU seconds; the unchanged sources take about half.
LIMIT = 1200.0


class Fuzzing:
    """Asks about what the comparison did not see, or every time if asked to: it takes minutes."""

    def __init__(self, folder: Path, progress: Progress):
        self.folder = folder
        self.progress = progress

    def run(self, cases: Sequence[Case]) -> None:
        """Fuzz each of `cases` until a test fails."""
        for number, case in enumerate(cases, 1):
            self.progress(f"fuzzing: {number}/{len(cases)} {case.name}")
            answer = call(
                "mutate.inside.tests:run", (TESTS,), path=case.path, content=case.change.content,
                limit=LIMIT, environment=simulations(self.folder), log=self.folder / "log.txt",
            )  # fmt: skip
            case.asks("fuzzing", answer.seconds)
            if not answer.is_known:
                case.undecided.append(f"fuzzing: {answer.detail}")
            elif answer.status != "done":
                case.killed("fuzzing", answer.detail)
            elif answer.value["failed"]:
                case.killed("fuzzing", answer.value["failed"])
