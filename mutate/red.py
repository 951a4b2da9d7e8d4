"""How long `nox -s check` takes from an edit to the first red, for planted bugs and mutants."""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mutate.baseline import Progress
from mutate.cases import Case
from tools import evidence
from tools.revisions import git
from tools.sources import ROOT

#: Seconds after which a check is not waited for: the edit counts as not seen.
LIMIT = 300.0
#: Starts the check.
start = subprocess.Popen
_RED = re.compile(r"RED after [\d.]+ s, by the (\w+)")
_BY = re.compile(r"^RED +(\S+ \S+)|^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """A file of the repository with a bug in it."""

    name: str
    path: str
    content: bytes


@dataclass(frozen=True)
class Seen:
    """What became of an edit: `lane` and `detector` are empty if no red came within the limit."""

    edit: Edit
    seconds: float
    lane: str
    detector: str


def edits(cases: Sequence[Case]) -> list[Edit]:
    """Planted bugs and mutants as edits."""
    return [Edit(case.name, case.path, case.change.content) for case in cases]


def measure(edits: Sequence[Edit], progress: Progress) -> Iterator[Seen]:
    """Check each of `edits` in a copy of the repository, which shares the caches of this one.

    What earlier checks noted is forgotten before each: it would know the bugs by then.
    """
    with tempfile.TemporaryDirectory(prefix="veridecode-red-") as scratch:
        copy = Path(scratch) / "repository"
        scratch_copy(copy)
        for number, edit in enumerate(edits, 1):
            progress(f"{number}/{len(edits)} {edit.name}")
            shutil.rmtree(copy / "build" / "check", ignore_errors=True)
            file = copy / edit.path
            before = file.read_bytes()
            file.write_bytes(edit.content)
            try:
                yield _check(copy, edit)
            finally:
                file.write_bytes(before)


def scratch_copy(folder: Path) -> None:
    """The tracked files of the repository as the first commit of another, which shares its caches
    of simulations and proofs."""
    for name in filter(None, git("ls-files", "-z").split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    author = ("-c", "user.name=veridecode", "-c", "user.email=none")
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "as it is"]):
        git(*command, root=folder)
    (folder / "build" / "formal").mkdir(parents=True)
    for cache in ("sim", "formal/cache"):
        (evidence.BUILD / cache).mkdir(parents=True, exist_ok=True)
        (folder / "build" / cache).symlink_to(evidence.BUILD / cache)


def _check(folder: Path, edit: Edit) -> Seen:
    begin = time.monotonic()
    process = start(
        [sys.executable, "-m", "gate.check"], cwd=folder, env=evidence.environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        printed, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        printed, _ = process.communicate()
    red, by = _RED.search(printed), _BY.search(printed)
    return Seen(
        edit,
        time.monotonic() - begin,
        red[1] if red else "",
        next(filter(None, by.groups()), "") if red and by else "",
    )


def print_all(console: Console, seen: Sequence[Seen]) -> None:
    """The slowest edits, and the distribution."""
    table = Table(title="Slowest to turn red", title_justify="left")
    for column in ("edit", "seconds", "by"):
        table.add_column(column, overflow="fold")
    for each in sorted(seen, key=lambda each: -each.seconds)[:10]:
        table.add_row(each.edit.name, f"{each.seconds:.1f}", each.detector or "not red")
    console.print(table)
    times = sorted(each.seconds if each.lane else float("inf") for each in seen)
    lanes = [each.lane for each in seen]
    console.print(
        f"{len(seen)} edits, {sum(map(bool, lanes))} red, by the proofs {lanes.count('proofs')}, by"
        f" the tests {lanes.count('tests')}: median {statistics.median(times):.1f} s, 90 % within"
        f" {times[(len(times) * 9 - 1) // 10]:.1f} s",
        highlight=False,
    )
