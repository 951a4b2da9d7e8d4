"""The files of tests that a change may turn red, in the order in which they are asked."""

import functools
from collections.abc import Iterable
from pathlib import Path

from gate.check.changes import CHECKED, Changes
from gate.check.history import History
from tools.sources import ROOT, SOURCES

#: Asked behind the nearest tests, before all others: they see the whole decoder.
WHOLE = ("tests/fuzz/test_decoder.py", "tests/sim/test_cycles.py")
#: How many tests of a changed file come before those.
NEAREST = 2


def affected(changes: Changes, history: History) -> list[str]:
    """The files of tests that depend on a changed file: those that objected to its changes before,
    the nearest, those of the whole decoder, and then the others, the nearest first."""
    paths = changes.checked
    tests = [test for test in _tests() if changes.everything or _depends(test, paths)]
    first = [test for path in paths for test in nearest(path)[:NEAREST]]
    first = list(dict.fromkeys((*first, *WHOLE)))
    steps = {test: min((_distance(test, path) for path in paths), default=0) for test in tests}

    def order(test: str) -> tuple[int, int, int, str]:
        place = first.index(test) if test in first else len(first)
        return -history.objections(test, paths), place, steps[test], test

    return sorted(tests, key=order)


@functools.cache
def nearest(path: str) -> tuple[str, ...]:
    """The files of tests that depend on a file: those that share most words of its name, and then
    those that import it over the fewest other files, of its own room first."""
    room, *names = Path(path).with_suffix("").parts
    ranked = [
        (
            -len(_words(*names) & _words(Path(test).stem)),
            steps,
            Path(test).parent.name != room,
            test,
        )
        for test in _tests()
        if (steps := _steps(test).get(ROOT / path)) is not None
    ]
    return tuple(test for *_, test in sorted(ranked))


def _words(*names: str) -> set[str]:
    """The words of names, in the singular."""
    return {word.removesuffix("s") for name in names for word in name.split("_")}


@functools.cache
def _tests() -> tuple[str, ...]:
    """All files of tests of the rooms that are checked."""
    folders = [ROOT / "tests" / room for room in (*CHECKED, "fuzz")]
    found = [test for folder in folders for test in folder.rglob("test_*.py")]
    return tuple(sorted(test.relative_to(ROOT).as_posix() for test in found))


def _depends(test: str, paths: Iterable[str]) -> bool:
    """Whether a file of tests imports one of `paths`, or tests a command that does, or has its
    fixtures from there."""
    room = Path(test).parts[1]
    reached = set(_steps(test)) | SOURCES.reached(f"{room}.__main__")
    folders = {str(folder) for folder in Path(test).parents}
    return any(
        ROOT / path in reached
        or (Path(path).name == "conftest.py" and str(Path(path).parent) in folders)
        for path in paths
    )


def _distance(test: str, path: str) -> int:
    """How many imports lead from a test to a file; many if none do."""
    return _steps(test).get(ROOT / path, len(SOURCES.digests()) + 1)


@functools.cache
def _steps(test: str) -> dict[Path, int]:
    """For each file that a test depends on, how many imports lead to it."""
    steps = {ROOT / test: 0}
    border = set(steps)
    while border:
        border = {needed for path in border for needed in SOURCES.needed(path)} - steps.keys()
        steps |= dict.fromkeys(border, max(steps.values()) + 1)
    return steps
