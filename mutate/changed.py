"""The lines that differ from a revision of the repository."""

import re
import subprocess

from mutate.pool import ROOMS
from tools.errors import BadInput
from tools.sources import ROOT

_FILE = re.compile(r"^\+\+\+ b/(.*)$")
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def changed_lines(revision: str) -> dict[str, set[int]]:
    """For each file of the mutated rooms, the lines that are not as in `revision`; where lines
    were removed, the one before.

    Raises BadInput for a revision that git does not know.
    """
    command = ["git", "diff", "--unified=0", "--no-color", "--no-ext-diff"]
    known = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if known.returncode:
        raise BadInput(f"--changed {revision!r} is no revision of this repository")
    differences = subprocess.run(
        [*command, known.stdout.strip(), "--", *ROOMS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return parsed(differences)


def parsed(differences: str) -> dict[str, set[int]]:
    """The changed lines of each file, from the output of ``git diff --unified=0``."""
    lines: dict[str, set[int]] = {}
    current: set[int] = set()
    for line in differences.splitlines():
        if file := _FILE.match(line):
            current = lines.setdefault(file[1], set())
        elif hunk := _HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            current.update(range(first, first + max(count, 1)))
    return lines
