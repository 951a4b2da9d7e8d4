"""The server of `mutate.process`: forks a process for each call, and watches over it.

A call may take so many seconds of CPU time, however busy the machine is, of its process and of all
that this starts: its session. When it ends, so does the whole session.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import tempfile
import time
import traceback
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, NoReturn

# What every process of a mutant needs and no mutant changes, imported once and then forked.
import amaranth as amaranth
import amaranth.back.rtlil as _rtlil  # noqa: F401
import numba as numba
import numpy as numpy

from mutate import forked
from mutate.answer import Answer, Request, Status
from tools.cpu_time import EXACT, cpu_seconds
from tools.sources import SOURCES

#: Most wall-clock seconds per allowed CPU second; after that a call counts as hanging.
BUSY = 20
#: Wall-clock seconds for clearing up.
CLEARING = 30.0
#: Seconds between two looks at the clocks of a session.
_LOOK = 0.2
#: Signals that a program sends to itself.
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT)


def serve(number: int) -> None:
    """Serve the socket with this file `number` until its other end is closed.

    Each byte that comes has a socket with it, on which a `Request` follows and an `Answer` is
    expected. When all is loaded, the digests of the sources that were read are printed.
    """
    # Processes that watch over a call are reaped automatically.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Ctrl-C ends the client, and thereby the calls.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numpy.random.seed(0)
    print(json.dumps(SOURCES.digests()), flush=True)
    with socket.socket(fileno=number) as server:
        while True:
            data, files, *_ = socket.recv_fds(server, 1, 1)
            if not data:
                return
            with Connection(files[0]) as client:
                if os.fork() == 0:
                    server.close()
                    _attend(client)


def _attend(client: Connection) -> NoReturn:
    """Answer the request of `client`; stop at once if the client ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        try:
            answer = _logged(client.recv(), client)
        except OSError as error:  # no process or no file for it
            answer = Answer("unanswered", detail=f"{type(error).__name__}: {error}")
        client.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # there is no client any more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _logged(request: Request, client: Connection) -> Answer:
    """The answer, with what was printed appended to the log."""
    with tempfile.TemporaryFile() as output:
        answer = _run(request, client, output)
        if request.log:
            output.seek(0)
            with request.log.open("ab") as log:
                log.write(output.read())
    return answer


def _run(request: Request, client: Connection, output: IO[bytes]) -> Answer:
    """Fork a process for the call, and wait for what it sends, but not for ever."""
    result, sender = Pipe(duplex=False)
    process = os.fork()
    if process == 0:
        client.close()
        result.close()
        forked.run(request, sender, output.fileno())
    sender.close()
    session = _Session(process)
    try:
        answer = _awaited(request.limit, session, result, client)
        if answer is None or answer.is_known:
            session.wait(CLEARING)
    finally:
        code, seconds = session.end()
    if answer is None and code == -signal.SIGXCPU:
        answer = _late(request.limit)
    if answer is None:
        status: Status = "crashed" if -code in _CRASHES else "unanswered"
        answer = Answer(status, detail=f"{_ending(code)}{_last_line(output)}")
    return dataclasses.replace(answer, seconds=seconds)


def _awaited(
    limit: float, session: "_Session", result: Connection, client: Connection
) -> Answer | None:
    """What the process sends, or why it is not waited for any longer; None if it ends before."""
    hanging = time.monotonic() + BUSY * limit
    while True:
        ended = session.has_ended()
        ready = wait([result, client], 0 if ended else _LOOK)
        if result in ready:
            try:
                return result.recv()
            except EOFError:
                return None
        if client in ready:
            raise EOFError
        if ended:
            return None
        if session.seconds() > limit:
            return _late(limit)
        if time.monotonic() > hanging:
            detail = f"no answer in {BUSY * limit:g} s, in which it hardly ran"
            return Answer("unanswered", detail=detail)


def _late(limit: float) -> Answer:
    return Answer("late", detail=f"no answer in {limit:g} s of CPU time")


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"ended by {signal.Signals(-code).name}"


def _last_line(output: IO[bytes]) -> str:
    """What was printed last."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - 4096))
    lines = output.read().decode(errors="replace").split("\n")
    printed = [line.strip() for line in lines if line.strip()]
    return f": {printed[-1]}" if printed else ", and it printed nothing"


class _Session:
    """A child process and all that it started, by the session that it leads."""

    def __init__(self, leader: int):
        self.leader = leader
        self._spent: dict[int, float] = {}
        self._ended: tuple[int, float] | None = None

    def seconds(self) -> float:
        """CPU seconds so far; 0 on systems without exact clocks, where `mutate.forked` sets limits
        for each process instead."""
        if EXACT:
            for process in [self.leader, *self._others()]:
                spent = max(cpu_seconds(process), self._spent.get(process, 0.0))
                self._spent[process] = spent
        return sum(self._spent.values())

    def has_ended(self) -> bool:
        """Whether the leader has."""
        if self._ended is None:
            self._reap(os.WNOHANG)
        return self._ended is not None

    def wait(self, seconds: float) -> None:
        """Wait for the leader to end, but not longer than `seconds`."""
        end, pause = time.monotonic() + seconds, 0.001
        while not self.has_ended() and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, _LOOK)

    def end(self) -> tuple[int, float]:
        """Kill what is left; returns the exit code of the leader, and the CPU seconds of all."""
        self.seconds()
        if not self.has_ended():
            os.kill(self.leader, signal.SIGKILL)
        if not EXACT:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader, signal.SIGKILL)
        while others := self._others():  # until none is left that was just started
            for process in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        if self._ended is None:
            self._reap()
        assert self._ended is not None
        # The clocks see nothing of a process between two looks, and what the system counts is
        # nothing of those that nobody waited for.
        code, seconds = self._ended
        return code, max(seconds, sum(self._spent.values()))

    def _reap(self, how: int = 0) -> None:
        process, status, usage = os.wait4(self.leader, how)
        if process:
            seconds = usage.ru_utime + usage.ru_stime
            self._ended = os.waitstatus_to_exitcode(status), seconds

    def _others(self) -> list[int]:
        """The living processes of the session without its leader, where the system lists them."""
        if not EXACT:
            return []
        numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return [number for number in numbers if number != self.leader and self._has(number)]

    def _has(self, process: int) -> bool:
        try:
            if os.getsid(process) != self.leader:
                return False
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return False
        return state != "Z"  # a zombie is left to whoever reaps it
