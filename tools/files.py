"""Opening what a user handed us, and writing files that are never seen half done."""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tools.errors import BadInput

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
def writing(place: PathLike) -> Iterator[None]:
    """Name `place` where the body cannot write: a full disk says which file only by luck."""
    try:
        yield
    except BrokenPipeError:
        if os.fspath(place) == STDOUT:
            raise  # its reader left: nothing to tell anybody
        raise BadInput(f"{shown(place)}: cannot be written (nobody reads it)") from None
    except OSError as error:
        folder = os.path.realpath(os.path.dirname(os.path.abspath(place)))
        if error.filename and not os.path.abspath(error.filename).startswith(folder):
            raise  # about something else, and named
        raise BadInput(f"{_named(place)}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def scratch_folder(beside: Path, prefix: str) -> Iterator[Path]:
    """A folder in `beside`, to be filled and renamed; else it is removed.

    So are those of `prefix` that killed processes left: each is locked while its process lives.
    """
    for left in beside.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _locked(left):
            # Another process may just be between making its own and locking it.
            if time.time() - left.stat().st_mtime > _NEW_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
    try:
        with _locked(scratch):
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_NEW_SECONDS = 60


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which ends with the process; raises OSError if another does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Write a file whole: nothing of it is seen before the body ends, or ever if that fails.

    A file is written under a temporary name and moved into place, which a symlink points at, with
    the mode and the owner of the file that was there. What is no file (a device, a pipe, standard
    output by its name or as ``-``) is written to when the body has ended. Raises
    :class:`BadInput` if the place cannot be written.
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
            _resemble(draft_path, target)
            os.replace(draft_path, target)


#: Standard output, as an output file.
STDOUT = "-"
#: Where names of open files stand: behind them may be a file that others write to as well.
_OPEN_FILES = re.compile(r"/dev/(fd/\d+|std(out|err))|/proc/.*/fd/\d+")


def _named(path: PathLike) -> str:
    return "standard output" if os.fspath(path) == STDOUT else shown(path)


def _is_stream(path: PathLike) -> bool:
    """Whether `path` is written to as it is, and not replaced."""
    name = os.fspath(path)
    if name == STDOUT:
        return True
    for _ in range(40):  # links, of which systems follow as many
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
    # Neither made nor cut: what was written to it before stays.
    with open(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as file:
        yield file


def _resemble(draft: Path, target: Path) -> None:
    """Give `draft` the mode and the owner of the file that it replaces, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        old = os.stat(target)
        with contextlib.suppress(PermissionError):  # only root may give a file away
            os.chown(draft, old.st_uid, old.st_gid)
        os.chmod(draft, stat.S_IMODE(old.st_mode))


def check_writable(path: Path | None, option: str) -> None:
    """Refuse, before a long run, an output file that could not be written at its end.

    Leaves no trace: a file that did not exist does not exist afterwards either.
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
            # As it was named, unless a link leads elsewhere.
            missing = folder if path.is_symlink() else path.parent
            raise BadInput(f"{option} = {str(path)!r}: folder {str(missing)!r} does not exist")
        places = [path] if stream else [target if target.exists() else folder, folder]
    except OSError as error:
        raise BadInput(f"{option} = {str(path)!r} cannot be written ({error.strerror})") from None
    if not all(os.access(place, os.W_OK) for place in places):
        raise BadInput(f"{option} = {str(path)!r} cannot be written")


def write_atomically(path: PathLike, content: str | bytes) -> None:
    """`replacing` for content that is there already; text is written as UTF-8."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
