"""The files of tests that a change may turn red, in the order in which they are asked."""

from collections.abc import Iterable
from pathlib import Path

from gate.check.changes import CHECKED, Changes
from gate.check.history import History
from tools.nearest import imports_to, nearest, tests_below
from tools.sources import ROOT, SOURCES

#: The folders of tests that are asked.
FOLDERS = (*CHECKED, "fuzz")
#: Asked behind the nearest tests, before all others: they see the whole decoder.
WHOLE = ("tests/fuzz/test_decoder.py", "tests/sim/test_cycles.py")
#: How many tests of a changed file come before those.
NEAREST = 2


def affected(changes: Changes, history: History) -> list[str]:
    """The files of tests that depend on a changed file: those that objected to its changes before,
    the nearest, those of the whole decoder, and then the others, the nearest first."""
    paths = changes.checked
    tests = [test for test in tests_below(FOLDERS) if changes.everything or _depends(test, paths)]
    first = [test for path in paths for test in nearest(path, FOLDERS)[:NEAREST]]
    first = list(dict.fromkeys((*first, *WHOLE)))
    steps = {test: min((_distance(test, path) for path in paths), default=0) for test in tests}

    def order(test: str) -> tuple[int, int, int, str]:
        place = first.index(test) if test in first else len(first)
        return -history.objections(test, paths), place, steps[test], test

    return sorted(tests, key=order)


def _depends(test: str, paths: Iterable[str]) -> bool:
    """Whether a file of tests imports one of `paths`, or tests a command that does, or has its
    fixtures from there."""
    room = Path(test).parts[1]
    reached = set(imports_to(test)) | SOURCES.reached(f"{room}.__main__")
    folders = {str(folder) for folder in Path(test).parents}
    return any(
        ROOT / path in reached
        or (Path(path).name == "conftest.py" and str(Path(path).parent) in folders)
        for path in paths
    )


def _distance(test: str, path: str) -> int:
    """How many imports lead from a test to a file; many if none do."""
    return imports_to(test).get(ROOT / path, len(SOURCES.digests()) + 1)
