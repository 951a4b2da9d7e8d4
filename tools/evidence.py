"""The digest of the sources that a job ran on, and a clean environment for it.

Every result in ``build/`` carries the digest of its sources, computed at the start of the job and
again at its end, so that the verdict ignores results of other sources. Modification times are not
used.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tools.sources import ROOT, SOURCES

BUILD = ROOT / "build"

#: What `nox -s lint` checks; together with SETTINGS, the sources of a verdict.
FOLDERS = (
    "tools", "spec", "design", "golden", "sim", "board", "properties", "formal", "gate", "synth",
    "mutate", "tests", "training", "benchmarks", "docs", "noxfile.py",
)  # fmt: skip
SETTINGS = ("pyproject.toml", "requirements.lock", "models")

#: Variables passed to a job. They describe the machine; none selects what is run.
_KEPT = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TEMP|TMP|TZ|LANG|LANGUAGE|LC_[A-Z]+"
    "|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|COLUMNS|LINES"
    "|XDG_CACHE_HOME|YOWASP_CACHE_DIR|CXX|CPATH|((DY)?LD_)?LIBRARY_PATH|SDKROOT|DEVELOPER_DIR"
    "|VERIDECODE_DATA"
)
#: pytest at the root, ignoring any other configuration files there.
PYTEST = ("-m", "pytest", "-c", "pyproject.toml", "--confcutdir=tests")

#: Files needed by the tests of the real checkpoint.
CHECKPOINT = ("stories260K.bin", "tok512.bin")


def sources(root: Path = ROOT) -> str:
    """A digest of names and contents of all files that a job depends on."""
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
    """The files of a folder in order, without caches and hidden files; or the file itself."""
    if path.is_file():
        yield path
    elif path.is_dir():
        for entry in sorted(path.iterdir()):
            if entry.name != "__pycache__" and not entry.name.startswith("."):
                yield from _files(entry)


class Watch:
    """Detects changes of the sources while a job runs."""

    def __init__(self) -> None:
        self._begin = sources()

    def digest(self) -> str | None:
        """The digest; None if the sources changed during the job, or after this process imported
        one of them: then it is unknown what was run."""
        now = sources()
        return now if now == self._begin and SOURCES.on_disk() else None


def environment(outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of `outer` passed to a job, with the folder of this interpreter on the PATH."""
    kept = {name: value for name, value in outer.items() if _KEPT.fullmatch(name)}
    beside = str(Path(sys.executable).parent)
    return kept | {"PATH": os.pathsep.join([beside, outer.get("PATH", os.defpath)])}


def data_folders(outer: Mapping[str, str] = os.environ) -> list[Path]:
    """Where to look for the real checkpoint: VERIDECODE_DATA, then ../shared/data."""
    configured = outer.get("VERIDECODE_DATA")
    return [*([Path(configured)] if configured else []), ROOT.parent / "shared" / "data"]


def data_folder() -> Path | None:
    """The first of `data_folders` that contains the real checkpoint, or None."""
    for folder in data_folders():
        if all((folder / name).is_file() for name in CHECKPOINT):
            return folder
    return None
