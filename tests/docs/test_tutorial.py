"""The tutorial is followed: its edits, made in a copy of the repository, turn the check red."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mutate.red import scratch_copy
from tests.docs import pages
from tools import evidence
from tools.sources import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
CHECK = "$ nox -s check"
_BLOCK = re.compile(r"^```(diff|console)\n(.*?)^```$", re.M | re.S)
#: What differs from run to run: seconds, and where a column begins.
_VARIES = ((re.compile(r"\d+\.\d s"), "? s"), (re.compile(r"\s+"), " "))


def followed() -> Iterator[tuple[str, list[str]]]:
    """(edit, what the check behind it prints); no edit where everything is undone."""
    edit = ""
    for language, text in _BLOCK.findall(PAGE.read_text("utf-8")):
        if language == "diff":
            edit = text
        elif text.startswith(CHECK):
            yield edit, pages.printed(text)
            edit = ""


def planted(folder: Path, edit: str) -> None:
    """Replace the line of the edit's file."""
    (name,) = re.findall(r"^--- (\S+)$", edit, re.M)
    (old,) = re.findall(r"^-(?!--) *(.+)$", edit, re.M)
    (new,) = re.findall(r"^\+ *(.+)$", edit, re.M)
    text = (folder / name).read_text("utf-8")
    assert text.count(old) == 1, f"{name}: {old}"
    (folder / name).write_text(text.replace(old, new), "utf-8")


def missing(expected: list[str], lines: list[str]) -> list[str]:
    """The expected lines that are not there in this order; an ellipsis stands for anything."""
    rest = iter(map(same, lines))
    return [
        line
        for line in expected
        if line.strip() != "..."
        and not any(
            actual.startswith(same(line[:-3])) if line.endswith("...") else actual == same(line)
            for actual in rest
        )
    ]


def same(line: str) -> str:
    """A line without what varies."""
    for pattern, replacement in _VARIES:
        line = pattern.sub(replacement, line)
    return line.strip()


def test_lines_are_missed():
    assert missing(["a", "...", "b 1.0 s", "c ..."], ["a", "x", "b  2.5 s", "c and d"]) == []
    assert missing(["b", "a"], ["a", "b"]) == ["a"]
    assert missing(["c ..."], ["ac"]) == ["c ..."]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the repository, as a commit."""
    folder = tmp_path_factory.mktemp("tutorial") / "repository"
    scratch_copy(folder)
    return folder


def test_the_tutorial_can_be_followed(copy: Path):
    steps = list(followed())
    assert [bool(edit) for edit, _ in steps] == [True, True, False]
    for edit, expected in steps:
        if edit:
            planted(copy, edit)
        checked = run(copy, "nox", "-s", "check")
        assert (checked.returncode != 0) is bool(edit), checked.stdout + checked.stderr
        printed = checked.stdout.splitlines()
        assert missing(expected[:1], printed) == [], checked.stdout
        if missing(expected, printed):  # another proof or test was quicker on this machine
            assert re.search(r"^RED after", checked.stdout, re.M), checked.stdout
            assert objection_is_proved(copy, expected), checked.stdout
        subprocess.run(["git", "checkout", "-q", "design"], cwd=copy, check=True)


def objection_is_proved(folder: Path, expected: list[str]) -> bool:
    """Whether the proof that is red in the tutorial objects in the same words."""
    (red,) = (line for line in expected if line.startswith("RED  "))
    _, task, config, *_ = red.split()
    lines = run(folder, "formal", "prove", task, "--config", config).stdout.splitlines()
    return missing([line for line in expected[1:] if " after " not in line], lines) == []


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m arguments`` in the copy."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder, env=evidence.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
