"""The commands and code blocks of the README and of the pages in docs/."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from golden.checkpoints import DEFAULT
from tools.sources import ROOT

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("models/*/*.md"))]
#: The programs that commands begin with; others in the text are no commands.
PROGRAMS = ("python", "python3", "nox", "pytest", "pip", "uv", "git")
#: The words in capitals that stand for something, with an example of it.
EXAMPLES = {
    "MODEL": str(DEFAULT), "IN": str(DEFAULT), "OUT": "out", "DIR": "kit", "FILE": "file",
    "PATH": "design/rope.py", "ID": "kv.bypass.key", "PREFIX": "kv", "NAME": "nano", "REV": "HEAD",
    "N": "8", "S": "7", "SEED": "7", "F": "file.vcd", "A": "1", "B": "2",
    "OPINION": "verilog",
}  # fmt: skip
_BLOCK = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.M | re.S)
_SPAN = re.compile(r"`([^`]+)`")
#: Between two of a list.
_LIST = re.compile(r",?\s*(or|and)?\s*")


@dataclass(frozen=True)
class Command:
    """One command of a page, as `words` that can be run."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code blocks in one of `languages`."""
    for match in _BLOCK.finditer(page.read_text("utf-8")):
        if match[1] in languages:
            yield match[2]


def commands(page: Path) -> Iterator[Command]:
    """Every command of a page: of its console blocks, and code spans that begin with a program.

    In a list such as `python -m sim units`, `cycles`, the others are of the same module.
    """
    name = str(page.relative_to(ROOT))
    for block in blocks(page, "console", "sh", "bash"):
        for line in entered(block):
            for part in line.split("&&"):
                yield Command(name, _words(part))
    before: tuple[str, ...] = ()
    for gap, text in _spans_and_gaps(page):
        words = _words(text)
        if words[:1] and words[0] in PROGRAMS:
            before = words
            yield Command(name, words)
        elif before[1:2] == ("-m",) and _LIST.fullmatch(gap) and re.match(r"\w+( |$)", text):
            yield Command(name, (*before[:3], *words))
        else:
            before = ()


def _spans_and_gaps(page: Path) -> Iterator[tuple[str, str]]:
    """Each code span, with the text between it and the one before."""
    text, end = _BLOCK.sub("", page.read_text("utf-8")), 0
    for match in _SPAN.finditer(text):
        yield text[end : match.start()], " ".join(match[1].split())
        end = match.end()


def options(page: Path) -> Iterator[Command]:
    """The options that a page names by themselves, as words."""
    name = str(page.relative_to(ROOT))
    for _, text in _spans_and_gaps(page):
        words = _words(text.removeprefix("-- "))
        if words and re.match(r"--\w", words[0]):
            yield Command(name, words)


def entered(block: str) -> list[str]:
    """The lines that a reader types: those behind a prompt if there is one, else all."""
    lines = block.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    return prompted or [line for line in lines if line.strip()]


def printed(block: str) -> list[str]:
    """What the first command of a block prints."""
    return block.splitlines()[1:]


def _words(text: str) -> tuple[str, ...]:
    """The words of a command, with examples for what stands for something."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return ()
    if ">" in words:
        words = words[: words.index(">")]
    if words:
        words[0] = words[0].removeprefix(".venv/bin/")
    kept = [
        word
        for n, word in enumerate(words)
        # An ellipsis is the value of an option, or stands for more of the same.
        if word.strip("[]") != "..." or words[n - 1].startswith("--")
    ]
    return tuple(EXAMPLES.get(word.strip("[]"), word) for word in kept)
