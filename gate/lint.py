"""``nox -s lint``: style, format and types of all sources, and a record of it for the verdict.

The settings are those of pyproject.toml, whatever other files of settings lie about. Nothing is
taken from a cache, since those of ruff and mypy trust modification times.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tools import evidence
from tools.files import write_atomically

RECORD = evidence.BUILD / "lint.json"

_RUFF = ("--config", "pyproject.toml", "--no-cache", "--no-respect-gitignore")
_MYPY = ("--config-file", "pyproject.toml", "--cache-dir", os.devnull)


@dataclass(frozen=True)
class Check:
    """A checker: its `command`, the one that prints how many files it looks at, and the folders
    that it must look at; `files` finds the numbers in what is printed."""

    command: tuple[str, ...]
    counted_by: tuple[str, ...]
    files: str
    folders: tuple[str, ...] = evidence.FOLDERS

    def count(self, printed: str) -> int:
        """How many files it looked at, by its own words."""
        return sum(int(number or 1) for number in re.findall(self.files, printed, re.M))


def _checks() -> Mapping[str, Check]:
    ruff = ("ruff", "check", *_RUFF, *evidence.FOLDERS)
    format_ = ("ruff", "format", "--check", *_RUFF, *evidence.FOLDERS)
    mypy = ("mypy", *_MYPY)
    typed = tuple(folder for folder in evidence.FOLDERS if folder != "tests")
    return {
        "ruff check": Check(ruff, (*ruff, "--show-files"), r"^.+\.py$()"),
        "ruff format": Check(format_, format_, r"(\d+) files? (?:already|would be)"),
        # Which files, says pyproject.toml.
        "mypy": Check(mypy, mypy, r"(\d+) source files?", typed),
    }


CHECKS = _checks()


def required() -> dict[str, int]:
    """Of each check, the number of files that it must have looked at."""
    return {
        name: sum(path.suffix == ".py" for path in evidence.files(check.folders))
        for name, check in CHECKS.items()
    }


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=evidence.ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def main(arguments: list[str]) -> int:
    """Run all checks; exit code 1 if one is red. `arguments` go to ``ruff check``, and with any
    there is no record, since they may narrow it."""
    watch = evidence.Watch()
    RECORD.unlink(missing_ok=True)
    checks = []
    for name, check in CHECKS.items():
        given = tuple(arguments) if name == "ruff check" else ()
        ran = _run((*check.command, *given))
        print(f"{name}:\n{ran.stdout}", end="", flush=True)
        printed = ran if check.counted_by == check.command else _run(check.counted_by)
        ok = ran.returncode == 0
        checks.append({"check": name, "ok": ok, "files": check.count(printed.stdout)})
    if not arguments:
        RECORD.parent.mkdir(exist_ok=True)
        content = {"sources": watch.digest(), "checks": checks}
        write_atomically(RECORD, json.dumps(content, indent=2) + "\n")
    red = [str(each["check"]) for each in checks if not each["ok"]]
    if red:
        print(f"red: {', '.join(red)}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
