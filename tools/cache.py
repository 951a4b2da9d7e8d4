"""The cache of what takes long to make: folders, each named by a digest of all it depends on."""

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tools.files import scratch_folder, writing

T = TypeVar("T")
#: What reading a folder raises that is not there, or not whole.
_UNUSABLE = (OSError, ValueError, TypeError)


def key(*parts: str) -> str:
    """A digest of `parts` for the name of a folder."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:20]


def made(
    folder: Path,
    make: Callable[[Path], None],
    load: Callable[[Path], T],
    *,
    fresh: bool = False,
) -> tuple[T, bool]:
    """What `load` reads of `folder`, and whether it was there.

    If it cannot be read, or if it must be `fresh`, `make` fills a scratch folder, which appears in
    its place by a rename: parallel and interrupted runs are harmless.
    """
    if not fresh:
        with contextlib.suppress(*_UNUSABLE):
            return load(folder), True
    with writing(folder), contextlib.ExitStack() as stack:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = stack.enter_context(scratch_folder(folder.parent, ".making-"))
        make(scratch)
        scratch.chmod(0o755)
        if not fresh:
            with contextlib.suppress(*_UNUSABLE):
                return load(folder), False  # a parallel run was faster
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    return load(folder), False
