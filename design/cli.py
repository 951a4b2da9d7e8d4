"""What every command line of the project shares: bad input is one sentence and exit code 2."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from design.errors import BadInput


class Cli(click.Group):
    """A click group that turns :class:`BadInput` into ``error: <sentence>`` and exit code 2.

    Wrong options, and files that the system refuses, are told the same way. Every other exception
    is a bug of ours and keeps its traceback.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and leave with its exit code."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message())
        except BadInput as error:
            _fail(str(error))
        except BrokenPipeError:
            # The reader of our output left; there is nobody to tell. Keep Python's exit quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except click.Abort:
            click.echo("aborted", err=True)
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    sentence = " ".join(message.split())
    click.echo(f"error: {sentence}", err=True)
    sys.exit(2)


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


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` so that a reader sees the old file or the whole new one, never a half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    raw = content.encode() if isinstance(content, str) else content
    try:
        temporary.write_bytes(raw)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
