"""What the process of a call does: it becomes another, calls a function and sends the answer."""

import atexit
import contextlib
import importlib
import math
import os
import random
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from mutate.answer import Answer, Lines, Request, is_scarce
from tools.cpu_time import EXACT
from tools.sources import ROOT, SOURCES


def run(request: Request, sender: Connection, output: int) -> NoReturn:
    """Send the answer to `request`, and end. What is printed goes to the file number `output`."""
    code = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if not EXACT:
            seconds = math.ceil(request.limit)
            most = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))
        random.seed(0)
        os.environ.update(request.environment)
        sender.send(_answer(request))
        atexit._run_exitfuncs()  # a forked process would leave them out, and so scratch folders
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer(request: Request) -> Answer:
    if request.path:
        try:
            SOURCES.replace(ROOT / request.path, request.content)
        except ValueError as error:
            return Answer("unanswered", detail=str(error))
    lines: Lines = {}
    try:
        with _observed(request.observe, lines):
            module, _, name = request.function.partition(":")
            value = getattr(importlib.import_module(module), name)(*request.arguments)
    except BaseException as error:  # SystemExit of pytest, too
        detail = f"{type(error).__name__}: {error}"[:1000]
        return Answer("unanswered" if is_scarce(error) else "raised", detail=detail, lines=lines)
    return Answer("done", value, lines=lines)


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
