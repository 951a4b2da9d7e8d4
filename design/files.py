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


def check_writable(path: Path | None, option: str) -> None:
    """Refuse, before a long run, an output file that could not be written at its end.

    Leaves no trace: a file that did not exist does not exist afterwards either.
    """
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        raise BadInput(f"{option} = {str(path)!r} is a folder, not a file")
    if not folder.is_dir():
        raise BadInput(f"{option} = {str(path)!r}: folder {str(folder)!r} does not exist")
    if not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise BadInput(f"{option} = {str(path)!r} cannot be written")


def write_atomically(path: PathLike, content: str | bytes) -> None:
    """`replacing` for content that is there already; text is written as UTF-8."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
