"""What earlier checks took, and what objected to changes of which file, in build/check/."""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.evidence import BUILD
from tools.files import write_atomically

FOLDER = BUILD / "check"


@dataclass
class History:
    """Of one `lane`: `seconds` of each detector, and how often one `objected` to changes of a file.

    A detector is a proof (``schedule.token nano``) or a file of tests. Only the order of a check
    depends on this file, never what is checked.
    """

    lane: str
    seconds: dict[str, float] = field(default_factory=dict)
    objected: dict[str, dict[str, int]] = field(default_factory=dict)

    @staticmethod
    def read(lane: str) -> "History":
        """The history of this working copy; an empty one if there is none that can be read."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return History(**json.loads(_file(lane).read_text(encoding="utf-8")))
        return History(lane)

    def objections(self, detector: str, paths: Iterable[str]) -> int:
        """How often the detector objected to changes of these files."""
        return sum(self.objected.get(path, {}).get(detector, 0) for path in paths)

    def took(self, detector: str, seconds: float) -> None:
        """Note a detector's time."""
        self.seconds[detector] = round(seconds, 2)

    def red(self, detector: str, paths: Iterable[str]) -> None:
        """Note that the detector objected to a change of these files."""
        for path in paths:
            counts = self.objected.setdefault(path, {})
            counts[detector] = counts.get(detector, 0) + 1

    def write(self) -> None:
        """Keep the history for the next check."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(self.lane), json.dumps(asdict(self), indent=1) + "\n")


def _file(lane: str) -> Path:
    return FOLDER / f"{lane}-history.json"
