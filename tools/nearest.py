"""Which tests stand nearest to a file of the sources."""

import functools
import re
from pathlib import Path

from tools.sources import ROOT, SOURCES


@functools.cache
def tests_below(folders: tuple[str, ...]) -> tuple[str, ...]:
    """All files of tests in these folders of tests/, by their paths from the root."""
    found = [test for name in folders for test in (ROOT / "tests" / name).rglob("test_*.py")]
    return tuple(sorted(test.relative_to(ROOT).as_posix() for test in found))


@functools.cache
def nearest(path: str, folders: tuple[str, ...]) -> tuple[str, ...]:
    """The files of tests in `folders` that depend on the file `path`: those that share most words
    of its name, then those that mention it, and then those that import it over the fewest other
    files, of its own room first."""
    file = ROOT / path
    room, *names = Path(path).with_suffix("").parts
    ranked = []
    for name in tests_below(folders):
        test = ROOT / name
        steps = imports_to(name).get(file)
        if steps is not None:
            common = len(_words(*names) & _words(test.stem))
            silent = file.stem not in re.findall(r"\w+", test.read_text("utf-8"))
            ranked.append((-common, silent, steps, test.parent.name != room, name))
    return tuple(name for *_, name in sorted(ranked))


@functools.cache
def imports_to(test: str) -> dict[Path, int]:
    """For each file that a file of tests depends on, how many imports lead to it."""
    steps = {ROOT / test: 0}
    border, length = set(steps), 0
    while border:
        border = {needed for path in border for needed in SOURCES.needed(path)} - steps.keys()
        length += 1
        steps |= dict.fromkeys(border, length)
    return steps


def _words(*names: str) -> set[str]:
    """The words of names, in the singular."""
    return {word.removesuffix("s") for name in names for word in name.split("_")}
