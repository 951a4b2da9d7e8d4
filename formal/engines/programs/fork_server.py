"""Runs the Python programs behind the engines, each in a fork of one process that has them loaded.

A proof starts nine of them, and most spend longer on their imports than on their work. Whoever
starts one starts `fork_client.cpp` under its name, which sends here what it was given. Each may
take so many seconds of the processor as VERIDECODE_SECONDS says, however busy the machine is; where
one wants more, it is ended, and the file VERIDECODE_LATE is there.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from formal.engines.programs import wheel_program
from tools.sources import SOURCES


def _native(program: str) -> Callable[[list[str]], None]:
    """Become the program beside this interpreter, or of a path of its own."""
    path = str(Path(sys.executable).parent / program)
    return lambda arguments: os.execv(path, [path, *arguments])


#: By the names that sby and smtbmc call them.
PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "sby": wheel_program.load("sby"),
    "yosys-smtbmc": wheel_program.load("smtbmc"),
    "yosys-witness": wheel_program.load("witness"),
    "yices-smt2": _native("yices-smt2"),
    "z3": _native("z3"),
    "limited": lambda arguments: os.execv(arguments[0], arguments),
}
# There are platforms without the one or the other.
with contextlib.suppress(ImportError):
    from formal.engines.programs import native_yosys

    PROGRAMS["yosys"] = native_yosys.main
    PROGRAMS["yosys-abc"] = _native(native_yosys.ABC)
with contextlib.suppress(ImportError):
    from formal.engines.programs import bitwuzla_smt2

    PROGRAMS["bitwuzla"] = bitwuzla_smt2.main
_SIZE = struct.Struct("=I")
#: Whether there is a clock for what a process has had of the processor, which is looked at every
#: `_LOOK` seconds. Linux counts in ticks what RLIMIT_CPU limits, and where processes share a
#: processor is wrong by a factor; a verdict may not depend on that.
_EXACT = sys.platform == "linux"
_LOOK = 0.2


def serve(path: str) -> None:
    """Answer at the socket `path` until the standard input ends, as it does with its owner.

    Once it listens it prints the digests of the sources that it runs.
    """
    # Nobody waits for those that attend to a client: they are gone when they are done.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # A Ctrl-C ends the clients, and with them the programs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print(json.dumps(SOURCES.digests()), flush=True)
        while True:
            waiting, _, _ = select.select([listener.fileno(), sys.stdin.fileno()], [], [])
            if sys.stdin.fileno() in waiting:
                return
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _attend(client)
            client.close()


def _attend(client: socket.socket) -> None:
    """Run what `client` asks for; send the exit code, or end the program where the client ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, *_ = socket.recv_fds(client, _SIZE.size, 3)
    request = bytearray()
    while len(request) < _SIZE.unpack(size)[0]:
        request += client.recv(1 << 16) or sys.exit("a client left early")
    folder, count, *words = request.decode(errors="surrogateescape").split("\0")[:-1]
    command = words[: int(count)]
    environment = dict(each.split("=", 1) for each in words[int(count) :])
    ended, program_lives = os.pipe()
    program = os.fork()
    if program == 0:
        os.close(ended)
        client.close()
        os.setpgid(0, 0)
        os.set_inheritable(program_lives, True)
        _become(command, folder, environment, files)
    os.close(program_lives)
    for file in files:
        os.close(file)
    seconds = int(environment.get("VERIDECODE_SECONDS", 0))
    gone: list[int] = []
    late = False
    while not gone and not late:
        gone, _, _ = select.select([ended, client.fileno()], [], [], _LOOK if seconds else None)
        late = not gone and _EXACT and _spent(program) > seconds
    if ended not in gone:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program, signal.SIGKILL if late else signal.SIGTERM)
    _, status, usage = os.wait4(program, 0)
    code = os.waitstatus_to_exitcode(status)
    if not _EXACT:
        # Not by the signal: there are programs (yices) that catch it, and fail.
        late = bool(code and seconds and usage.ru_utime + usage.ru_stime > seconds - 0.1)
    if late:
        Path(environment["VERIDECODE_LATE"]).touch()
    with contextlib.suppress(OSError):
        client.send(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _spent(program: int) -> float:
    """Seconds of the processor that the process has had; 0 where it is gone."""
    try:
        # As clock_getcpuclockid(3) says it, which Python does not have.
        return time.clock_gettime(~program << 3 | 2)
    except OSError:
        return 0.0


def _become(
    command: list[str], folder: str, environment: Mapping[str, str], files: list[int]
) -> None:
    """Be the program asked for."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    name, *arguments = command
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if (seconds := int(environment.get("VERIDECODE_SECONDS", 0))) and not _EXACT:
        resource.setrlimit(
            resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1])
        )
    code = 1
    try:
        PROGRAMS[name](arguments)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        else:
            code = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
