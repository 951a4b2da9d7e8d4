"""What the unchanged sources do: their netlists, and the lines that each piece of work executes.

A mutant in a line that is not executed changes nothing there, so nobody needs to look.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutate.answer import Answer, Lines
from mutate.pool import ROOMS
from mutate.process import call
from tools import evidence
from tools.files import write_atomically
from tools.sources import ROOT

Progress = Callable[[str], None]


class Broken(RuntimeError):
    """The unchanged sources do not pass what mutants are judged by."""


@dataclass(frozen=True)
class Decoder:
    """A small decoder as it is: its netlist, a digest of what golden computes, the constants of the
    driver, executed lines."""

    name: str
    netlist: str
    golden: str
    constants: str
    netlist_lines: dict[str, list[int]]
    golden_lines: dict[str, list[int]]

    def elaborates(self, path: str, statement: tuple[int, int]) -> bool:
        """Whether making the netlist executes a statement."""
        return executed(self.netlist_lines, path, statement)

    def computes(self, path: str, statement: tuple[int, int]) -> bool:
        """Whether golden's runs execute a statement."""
        return executed(self.golden_lines, path, statement)


def executed(lines: dict[str, list[int]], path: str, statement: tuple[int, int]) -> bool:
    """Whether a statement of a file is among the executed lines."""
    first, last = statement
    return any(first <= number <= last for number in lines.get(path, ()))


#: What netlists, golden and proofs depend on, and with them a verdict.
_JUDGED = (
    "tools", "spec", "design", "golden", "sim", "properties", "formal", "mutate/inside",
    "mutate/judged.py",
)  # fmt: skip
_JUDGING = (
    "mutate",
    "tests/design",
    "tests/golden",
    "tests/sim",
    "tests/spec",
    "tests/conftest.py",
)


@functools.cache
def digest(*, judging: bool = False) -> str:
    """A digest of the sources that are judged; with `judging`, of what judges them as well."""
    total = hashlib.sha256()
    for path in evidence.files((*_JUDGED, *(_JUDGING if judging else ()))):
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def decoders(names: Sequence[str], folder: Path, progress: Progress) -> list[Decoder]:
    """Small decoders as they are, remembered in `folder` by the digest of the sources."""
    return [_remembered(name, folder, progress) for name in names]


def _remembered(name: str, folder: Path, progress: Progress) -> Decoder:
    known = folder / f"{name}-{digest()}.json"
    if not known.is_file():
        progress(f"{name} as it is")
        made = _decoder(name, folder)
        write_atomically(known, json.dumps(dataclasses.asdict(made)))
    return Decoder(**json.loads(known.read_text("utf-8")))


def _decoder(name: str, folder: Path) -> Decoder:
    path = folder / "original.il"
    netlist = checked(call("mutate.inside.netlists:elaborate", name, path, observe=ROOMS))
    golden = checked(call("mutate.inside.comparison:golden", name, observe=ROOMS))
    return Decoder(
        name, path.read_text("utf-8"), golden.value, netlist.value,
        _sorted(netlist.lines), _sorted(golden.lines),
    )  # fmt: skip


def _sorted(lines: Lines) -> dict[str, list[int]]:
    return {path: sorted(numbers) for path, numbers in lines.items()}


def checked(answer: Answer) -> Answer:
    """The answer of work on the unchanged sources; raises Broken if there is none."""
    if answer.status != "done":
        raise Broken(f"the unchanged sources are not judged: {answer.status}, {answer.detail}")
    return answer
