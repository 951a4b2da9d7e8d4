"""Runs a function in a fresh process, in which one file of the repository may be another.

The process is forked from a server that has loaded the libraries (`mutate.preload`) but no module
of the mutated rooms, so nothing stands of the original. The working tree is never written:
`tools.sources` loads modules from the given content, and digests it in place of the file's.
"""

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from tools.sources import ROOT, SOURCES

#: `done`: the function returned; `raised`: an import or the function raised; `crashed`: the process
#: did, in compiled code; `unanswered`: it was stopped, at its limit or by others: nobody knows.
Status = Literal["done", "raised", "crashed", "unanswered"]
#: Signals that a program sends to itself.
_CRASHES = tuple(
    -number for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT)
)
#: The executed lines of each file of the mutated rooms.
Lines = dict[str, set[int]]

#: Seconds for clearing up.
CLEARING = 5.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["mutate.preload"])


@dataclass(frozen=True)
class Answer:
    """What became of a call: its `value`, or in `detail` why there is none."""

    status: Status
    value: Any = None
    detail: str = ""
    seconds: float = 0.0
    lines: Lines = field(default_factory=dict)


def call(
    function: str,
    *arguments: Any,
    path: str = "",
    content: bytes = b"",
    limit: float = 600.0,
    observe: tuple[str, ...] = (),
    log: Path | None = None,
) -> Answer:
    """Call `function` (``module:name``) with `content` in place of the file `path`, if given.

    After `limit` seconds it is stopped. The executed lines of the rooms `observe` are reported,
    those of imports as well. What it prints goes to `log`.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    given = (function, arguments, path, content, observe, log)
    process = _CONTEXT.Process(target=_answer, args=(theirs, *given))
    begin = time.perf_counter()
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            _kill(process)
            return Answer("unanswered", detail=f"no answer in {limit:.0f} s", seconds=limit)
        answer: Answer = ours.recv()
    except EOFError:
        process.join()
        seconds = time.perf_counter() - begin
        status: Status = "crashed" if process.exitcode in _CRASHES else "unanswered"
        return Answer(status, detail=f"exit code {process.exitcode}", seconds=seconds)
    else:
        return answer
    finally:
        _end(process)
        ours.close()


def _end(process: Any) -> None:
    """End the process, which may clear up first, and all that it started."""
    process.join(CLEARING)
    _kill(process)
    process.join()


def _kill(process: Any) -> None:
    """Kill the process and its group, which it leads."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # if it does not lead a group yet


def _answer(
    connection: Connection,
    function: str,
    arguments: tuple[Any, ...],
    path: str,
    content: bytes,
    observe: tuple[str, ...],
    log: Path | None,
) -> None:
    os.setsid()
    output = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if path:
        SOURCES.replace(ROOT / path, content)
    lines: Lines = {}
    begin = time.perf_counter()
    try:
        with _observed(observe, lines):
            module, _, name = function.partition(":")
            value = getattr(importlib.import_module(module), name)(*arguments)
        answer = Answer("done", value)
    except BaseException as error:  # SystemExit of pytest, too
        answer = Answer("raised", detail=f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - begin
    connection.send(Answer(answer.status, answer.value, answer.detail[:1000], seconds, lines))
    atexit._run_exitfuncs()  # a forked process would leave them out, and with them scratch folders


@contextlib.contextmanager
def _observed(rooms: tuple[str, ...], lines: Lines) -> Iterator[None]:
    """Add the lines that are executed inside to `lines`, by file."""
    if not rooms:
        yield
        return
    names: dict[str, set[int] | None] = {}

    def of_file(filename: str) -> set[int] | None:
        path = Path(filename)
        if SOURCES.ours(path) and path.relative_to(ROOT).parts[0] in rooms:
            return lines.setdefault(str(path.relative_to(ROOT)), set())
        return None

    def trace(frame: Any, event: str, argument: Any) -> Any:
        filename = frame.f_code.co_filename
        if filename not in names:
            names[filename] = of_file(filename)
        numbers = names[filename]
        if numbers is None:
            return None
        numbers.add(frame.f_lineno)

        def local(frame: Any, event: str, argument: Any) -> Any:
            numbers.add(frame.f_lineno)
            return local

        return local

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
