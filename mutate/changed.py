"""The lines that differ from a revision of the repository."""

import re

from mutate.pool import ROOMS
from tools.revisions import commit_of, git

_FILE = re.compile(r"^\+\+\+ b/(.*)$")
_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def changed_lines(revision: str) -> dict[str, set[int]]:
    """For each file of the mutated rooms, the lines that are not as in `revision`; where lines
    were removed, the one before.

    Raises BadInput for a revision that git does not know.
    """
    commit = commit_of(revision, "--changed")
    plain = ("--unified=0", "--no-color", "--no-ext-diff")
    return parsed(git("diff", *plain, commit, "--", *ROOMS))


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
