"""``nox -s lint``: style, format and types of all sources, with a record for the verdict.

The settings are those of pyproject.toml; other configuration files are ignored. No caches are used,
because those of ruff and mypy rely on modification times.
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
from tools.provenance import provenance

RECORD = evidence.BUILD / "lint.json"
#: Most characters kept of what a red check prints: its end.
MESSAGE = 4000

_RUFF = ("--config", "pyproject.toml", "--no-cache", "--no-respect-gitignore")
_MYPY = ("--config-file", "pyproject.toml", "--cache-dir", os.devnull)


@dataclass(frozen=True)
class Check:
    """A checker: its `command`, the command that prints the number of checked files (matched by the
    regular expression `files`), and the `folders` to check."""

    command: tuple[str, ...]
    counted_by: tuple[str, ...]
    files: str
    folders: tuple[str, ...] = evidence.FOLDERS

    def count(self, printed: str) -> int:
        """The number of files checked, according to its output."""
        return sum(int(number or 1) for number in re.findall(self.files, printed, re.M))


def _checks() -> Mapping[str, Check]:
    ruff = ("ruff", "check", *_RUFF, *evidence.FOLDERS)
    format_ = ("ruff", "format", "--check", *_RUFF, *evidence.FOLDERS)
    mypy = ("mypy", *_MYPY)
    typed = tuple(folder for folder in evidence.FOLDERS if folder != "tests")
    return {
        "ruff check": Check(ruff, (*ruff, "--show-files"), r"^.+\.py$()"),
        "ruff format": Check(format_, format_, r"(\d+) files? (?:already|would be)"),
        # The files are listed in pyproject.toml.
        "mypy": Check(mypy, mypy, r"(\d+) source files?", typed),
    }


CHECKS = _checks()


def required() -> dict[str, int]:
    """The number of files that each check must cover."""
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
    """Run all checks; exit code 1 if one fails. `arguments` go to ``ruff check``; with any, no
    record is written, because they may narrow the check."""
    watch = evidence.Watch()
    RECORD.unlink(missing_ok=True)
    checks = []
    for name, checker in CHECKS.items():
        extra = tuple(arguments) if name == "ruff check" else ()
        result = _run((*checker.command, *extra))
        print(f"{name}:\n{result.stdout}", end="", flush=True)
        counted = result if checker.counted_by == checker.command else _run(checker.counted_by)
        ok = result.returncode == 0
        files = checker.count(counted.stdout)
        record = {"check": name, "ok": ok, "files": files}
        checks.append(record if ok else record | {"message": result.stdout[-MESSAGE:]})
    if not arguments:
        RECORD.parent.mkdir(exist_ok=True)
        content = {**provenance(), "sources": watch.digest(), "checks": checks}
        write_atomically(RECORD, json.dumps(content, indent=2) + "\n")
    red = [str(check["check"]) for check in checks if not check["ok"]]
    if red:
        print(f"red: {', '.join(red)}")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
