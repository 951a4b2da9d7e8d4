"""Opening files given by the user, and writing files atomically."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tools.errors import BadInput

PathLike = str | os.PathLike[str]


def shown(path: PathLike) -> str:
    """The path as one printable line, whatever characters it contains."""
    name = os.fspath(path)
    return name if name.isprintable() else repr(name)


@contextlib.contextmanager
def reading(path: PathLike) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file for reading; yields it and its size in bytes.

    The file's name is put in front of a :class:`BadInput` raised by the body. Raises
    :class:`BadInput` itself for a file that is missing, unreadable, or not regular.
    """
    try:
        # Checked before opening, because opening a pipe would block until its other end opens.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput("is not a regular file")
        with open(path, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except BadInput as error:
        raise BadInput(f"{shown(path)}: {error}") from None
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def writing(place: PathLike) -> Iterator[None]:
    """Name `place` in write errors of the body: the error of a full disk may name no file."""
    try:
        yield
    except BrokenPipeError:
        if os.fspath(place) == STDOUT:
            raise  # the reader exited: nobody would see a message
        raise BadInput(f"{shown(place)}: cannot be written (nobody reads it)") from None
    except OSError as error:
        folder = os.path.realpath(os.path.dirname(os.path.abspath(place)))
        if error.filename and not os.path.abspath(error.filename).startswith(folder):
            raise  # an error about another file, which it names
        raise BadInput(f"{_named(place)}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def scratch_folder(beside: Path, prefix: str) -> Iterator[Path]:
    """A folder in `beside`, to be filled and renamed; removed if it is not renamed.

    Folders of the same `prefix` left by killed processes are removed, too: a folder is locked
    while its process lives.
    """
    for leftover in beside.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _locked(leftover, fcntl.LOCK_NB):
            # Spare new folders: another process may have made its own and not locked it yet.
            if time.time() - leftover.stat().st_mtime > _NEW_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
    try:
        # Waiting: another process may hold it, for as long as it takes to see that it is new.
        with _locked(scratch):
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_NEW_SECONDS = 60


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold the lock of `folder`, released when the process ends.

    With ``LOCK_NB``, raises OSError if it is taken, instead of waiting for it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Write a file atomically: it appears when the body ends, and not at all if the body fails.

    A file is written under a temporary name and moved into place (symlinks are followed), with the
    mode and owner of the file that it replaces. Anything but a file (a device, a pipe, standard
    output by its name or as ``-``) is written to after the body has ended. Raises
    :class:`BadInput` if the target cannot be written.
    """
    with writing(path):
        if _is_stream(path):
            with tempfile.TemporaryFile() as draft:
                yield draft  # type: ignore[misc]
                draft.seek(0)
                with _stream(path) as file:
                    shutil.copyfileobj(draft, file)
            return
        target = Path(os.path.realpath(path))
        with scratch_folder(target.parent, ".writing-") as folder:
            draft_path = folder / "draft"
            with open(draft_path, "xb") as file:
                yield file
            _copy_permissions(draft_path, target)
            os.replace(draft_path, target)


#: Standard output, as the name of an output file.
STDOUT = "-"
#: Names of open file descriptors: other processes may write to the same file.
_OPEN_FILES = re.compile(r"/dev/(fd/\d+|std(out|err))|/proc/.*/fd/\d+")


def _named(path: PathLike) -> str:
    return "standard output" if os.fspath(path) == STDOUT else shown(path)


def _is_stream(path: PathLike) -> bool:
    """Whether `path` is written in place instead of being replaced."""
    name = os.fspath(path)
    if name == STDOUT:
        return True
    for _ in range(40):  # the operating system follows at most 40 links
        if _OPEN_FILES.fullmatch(name):
            return True
        if not os.path.islink(name):
            break
        name = os.path.normpath(os.path.join(os.path.dirname(name), os.readlink(name)))
    with contextlib.suppress(FileNotFoundError):
        return not stat.S_ISREG(os.stat(path).st_mode)
    return False


@contextlib.contextmanager
def _stream(path: PathLike) -> Iterator[BinaryIO]:
    if os.fspath(path) == STDOUT:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Neither created nor truncated: earlier output is kept.
    with open(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
        yield file


def _copy_permissions(draft: Path, target: Path) -> None:
    """Give `draft` the mode and owner of the file that it replaces, if one exists."""
    with contextlib.suppress(FileNotFoundError):
        old = os.stat(target)
        with contextlib.suppress(PermissionError):  # only root may give a file away
            os.chown(draft, old.st_uid, old.st_gid)
        os.chmod(draft, stat.S_IMODE(old.st_mode))


def check_writable(path: Path | None, option: str) -> None:
    """Refuse, before a long run, an output file that could not be written at its end.

    Creates nothing: a file that did not exist still does not exist afterwards.
    """
    if path is None or os.fspath(path) == STDOUT:
        return
    if path.is_dir():
        raise BadInput(f"{option} = {str(path)!r} is a folder, not a file")
    try:
        stream = _is_stream(path)
        target = Path(os.path.realpath(path))
        folder = target.parent
        if not stream and not folder.is_dir():
            # Report the folder as the user wrote it, unless a link points elsewhere.
            missing = folder if path.is_symlink() else path.parent
            raise BadInput(f"{option} = {str(path)!r}: folder {str(missing)!r} does not exist")
        targets = [path] if stream else [target if target.exists() else folder, folder]
    except OSError as error:
        raise BadInput(f"{option} = {str(path)!r} cannot be written ({error.strerror})") from None
    if not all(os.access(target, os.W_OK) for target in targets):
        raise BadInput(f"{option} = {str(path)!r} cannot be written")


def write_atomically(path: PathLike, content: str | bytes) -> None:
    """Write `content` with `replacing`; text is encoded as UTF-8."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def json_or_none(path: Path) -> Any:
    """The JSON in a file, or None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
