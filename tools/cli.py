"""Shared by every command line: bad input is reported in one sentence, with exit code 2."""

import io
import os
import sys
import tempfile
from typing import Any, NoReturn

import click

from tools.errors import BadInput


class _OneSentence(click.Command):
    """Turns :class:`BadInput` into ``error: <sentence>`` and exit code 2.

    Wrong options and operating-system errors on files are reported in the same form. Any other
    exception is a bug of ours and keeps its traceback.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and leave with its exit code."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        if sys.stdout is None:  # the next opened file would get its descriptor
            _fail("standard output is closed")
        _name_output()
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
            sys.stdout.flush()
        except SystemExit as error:
            code = error.code
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message())
        except BadInput as error:
            _fail(str(error))
        except MemoryError as error:
            _fail(f"not enough memory ({error})" if str(error) else "not enough memory")
        except BrokenPipeError:
            # The reader of our output has exited, so nobody would see a message.
            _drop_output()
            sys.exit(1)
        except OSError as error:
            _fail(_sentence(error))
        except (click.Abort, KeyboardInterrupt):
            click.echo("aborted", err=True)
            sys.exit(130)
        return _leave(code if isinstance(code, int) else 0)


class Cli(_OneSentence, click.Group):
    """A group of commands."""


class CliCommand(_OneSentence):
    """A single command."""


class _Output(io.FileIO):
    """Standard output whose write errors carry its name; the system's own name no file."""

    NAME = "standard output"

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = self.NAME
            raise


def _name_output() -> None:
    """Put the name of `sys.stdout` into its errors, unless a test or caller replaced it."""
    text = sys.stdout
    if not isinstance(text, io.TextIOWrapper):
        return
    raw = getattr(text.buffer, "raw", text.buffer)  # without buffering, there is no `raw`
    if type(raw) is io.FileIO:
        text.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(raw.fileno(), "wb", closefd=False)),
            text.encoding,
            text.errors,
            line_buffering=text.line_buffering,
            write_through=text.write_through,
        )


def _leave(code: int) -> NoReturn:
    """Flush and exit; a failed flush at Python's own exit would print three lines."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:
        _fail(_sentence(error))
    sys.exit(code)


def _sentence(error: OSError) -> str:
    """The file and the error in one sentence."""
    if error.filename == _Output.NAME:
        _drop_output()
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    folder = tempfile.gettempdir()
    return f"cannot write a file in build/ or {folder} ({error.strerror or error})"


def _drop_output() -> None:
    """Discard the buffer of standard output, so that Python does not flush it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _interrupted(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Print no traceback for Ctrl-C during imports either."""
    if issubclass(kind, KeyboardInterrupt):
        print("aborted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _interrupted


def _fail(message: str) -> NoReturn:
    sentence = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
    click.echo(f"error: {sentence}", err=True)
    sys.exit(2)
