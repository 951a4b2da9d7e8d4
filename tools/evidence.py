"""What a run was about, and what may reach it: a digest of the sources, a clean environment.

Whatever a job leaves in ``build/`` names the digest of the sources that it ran on, taken at its
beginning and again at its end, so that the verdict counts nothing about other sources. Nothing
here looks at modification times.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tools.sources import ROOT, SOURCES

BUILD = ROOT / "build"

#: What `nox -s lint` looks at, and, with the two below, what a verdict is about.
FOLDERS = (
    "tools", "spec", "design", "golden", "sim", "board", "properties", "formal", "gate", "synth",
    "tests", "training", "benchmarks", "noxfile.py",
)  # fmt: skip
SETTINGS = ("pyproject.toml", "requirements.lock", "models")

#: The variables that a job gets to see, all of them about the machine: none chooses what is run.
_KEPT = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TEMP|TMP|TZ|LANG|LANGUAGE|LC_[A-Z]+"
    "|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|COLUMNS|LINES"
    "|XDG_CACHE_HOME|YOWASP_CACHE_DIR|CXX|CPATH|((DY)?LD_)?LIBRARY_PATH|SDKROOT|DEVELOPER_DIR"
    "|VERIDECODE_DATA"
)
#: pytest from the root, whatever other files of settings lie about there.
PYTEST = ("-m", "pytest", "-c", "pyproject.toml", "--confcutdir=tests")

#: What tests of the real checkpoint need.
CHECKPOINT = ("stories260K.bin", "tok512.bin")


def sources(root: Path = ROOT) -> str:
    """A digest of names and contents of all that a job runs from."""
    digest = hashlib.sha256()
    for path in files((*FOLDERS, *SETTINGS), root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()


def files(names: Iterable[str], root: Path = ROOT) -> Iterator[Path]:
    """All files of `names` (folders, or files themselves) below `root`."""
    for name in names:
        yield from _files(root / name)


def _files(path: Path) -> Iterator[Path]:
    """The files of a folder in order, without what Python and tools keep there; or the file."""
    if path.is_file():
        yield path
    elif path.is_dir():
        for each in sorted(path.iterdir()):
            if each.name != "__pycache__" and not each.name.startswith("."):
                yield from _files(each)


class Watch:
    """The sources of a job, from its beginning to its end."""

    def __init__(self) -> None:
        self._begin = sources()

    def digest(self) -> str | None:
        """Their digest; None if they changed meanwhile, or since this process imported one of them,
        so that nobody knows what was run."""
        now = sources()
        return now if now == self._begin and SOURCES.on_disk() else None


def environment(outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a job gets to see of `outer`, with the programs beside this interpreter on the PATH."""
    kept = {name: value for name, value in outer.items() if _KEPT.fullmatch(name)}
    beside = str(Path(sys.executable).parent)
    return kept | {"PATH": os.pathsep.join([beside, outer.get("PATH", os.defpath)])}


def data_folders(outer: Mapping[str, str] = os.environ) -> list[Path]:
    """Where the real checkpoint may lie: the folder that VERIDECODE_DATA names, ../shared/data."""
    named = outer.get("VERIDECODE_DATA")
    return [*([Path(named)] if named else []), ROOT.parent / "shared" / "data"]


def data_folder() -> Path | None:
    """The first folder that holds the real checkpoint, or None."""
    for folder in data_folders():
        if all((folder / name).is_file() for name in CHECKPOINT):
            return folder
    return None
