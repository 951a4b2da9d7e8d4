"""What the unchanged sources do: their netlists, and the lines that each piece of work executes.

A mutant in a line that is not executed changes nothing there, so nobody needs to look.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutate.judged import DECODERS
from mutate.pool import ROOMS
from mutate.process import Answer, Lines, call
from tools import evidence
from tools.files import write_atomically

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


def decoders(folder: Path, progress: Progress) -> list[Decoder]:
    """The small decoders as they are, remembered in `folder` by the digest of the sources."""
    known = folder / f"decoders-{evidence.sources()[:16]}.json"
    if known.is_file():
        return [Decoder(**entry) for entry in json.loads(known.read_text("utf-8"))]
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in DECODERS:
        progress(f"{name} as it is")
        made.append(_decoder(name, folder))
    write_atomically(known, json.dumps([dataclasses.asdict(decoder) for decoder in made]))
    return made


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
