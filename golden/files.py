"""Opening what a user handed us, and writing files that are never seen half done."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from design.errors import BadInput

PathLike = str | os.PathLike[str]


def shown(path: PathLike) -> str:
    """The path as one printable line, whatever characters it holds."""
    name = os.fspath(path)
    return name if name.isprintable() else repr(name)


@contextlib.contextmanager
def reading(path: PathLike) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file for reading; yields it and its size in bytes.

    A :class:`BadInput` raised by the body gets the file's name put in front. Raises
    :class:`BadInput` itself for a file that is missing, unreadable, or no regular file.
    """
    try:
        # Asked before opening, because opening a pipe would wait for its other end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput("is not a regular file")
        with open(path, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except BadInput as error:
        raise BadInput(f"{shown(path)}: {error}") from None
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Write a file under a temporary name beside `path`, moved into place when the body ends.

    Nothing is left behind if the body fails. Raises :class:`BadInput` if the place cannot be
    written.
    """
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=target.parent) as folder:
            draft = Path(folder) / "draft"
            with open(draft, "xb") as file:
                yield file
            os.replace(draft, target)
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be written ({error.strerror})") from None
