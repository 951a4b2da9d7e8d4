"""Runs the Python programs of the engines, each in a fork of one process that has them loaded.

A proof starts nine of them, and most take longer for their imports than for their work. The
executables with their names are `fork_client.cpp`, which sends its command here. Each program may
take VERIDECODE_SECONDS of CPU time, however busy the machine is; after that it is killed, and the
file VERIDECODE_LATE is created.
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
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from formal.engines.programs import wheel_program
from tools.cpu_time import EXACT, cpu_seconds
from tools.sources import SOURCES


def _native(program: str) -> Callable[[list[str]], None]:
    """Executes a program beside this interpreter, or at an absolute path."""
    path = str(Path(sys.executable).parent / program)
    return lambda arguments: os.execv(path, [path, *arguments])


#: The programs, by the names that sby and smtbmc use.
PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "sby": wheel_program.load("sby"),
    "yosys-smtbmc": wheel_program.load("smtbmc"),
    "yosys-witness": wheel_program.load("witness"),
    "yices-smt2": _native("yices-smt2"),
    "z3": _native("z3"),
    "limited": lambda arguments: os.execv(arguments[0], arguments),
}
# Some platforms lack one of these.
with contextlib.suppress(ImportError):
    from formal.engines.programs import native_yosys

    PROGRAMS["yosys"] = native_yosys.main
    PROGRAMS["yosys-abc"] = _native(native_yosys.ABC)
with contextlib.suppress(ImportError):
    from formal.engines.programs import bitwuzla_smt2

    PROGRAMS["bitwuzla"] = bitwuzla_smt2.main
_SIZE = struct.Struct("=I")
#: Seconds between two looks at the CPU clock of a program, where it is exact.
_LOOK = 0.2


def serve(path: str) -> None:
    """Serve the socket `path` until standard input is closed, which happens when the owner ends.

    When it is ready, it prints the digests of the sources that it runs.
    """
    # Child processes that serve a client are reaped automatically.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Ctrl-C ends the clients, and thereby the programs.
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
    """Run the command of `client` and send its exit code; kill it if the client ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, *_ = socket.recv_fds(client, _SIZE.size, 3)
    request = bytearray()
    while len(request) < _SIZE.unpack(size)[0]:
        request += client.recv(1 << 16) or sys.exit("a client ended early")
    folder, count, *words = request.decode(errors="surrogateescape").split("\0")[:-1]
    command = words[: int(count)]
    environment = dict(word.split("=", 1) for word in words[int(count) :])
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
    closed: list[int] = []
    late = False
    while not closed and not late:
        closed, _, _ = select.select([ended, client.fileno()], [], [], _LOOK if seconds else None)
        late = not closed and EXACT and cpu_seconds(program) > seconds
    if ended not in closed:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program, signal.SIGKILL if late else signal.SIGTERM)
    _, status, usage = os.wait4(program, 0)
    code = os.waitstatus_to_exitcode(status)
    if not EXACT:
        # Not by the signal, because some programs (yices) catch it and fail.
        late = bool(code and seconds and usage.ru_utime + usage.ru_stime > seconds - 0.1)
    if late:
        Path(environment["VERIDECODE_LATE"]).touch()
    with contextlib.suppress(OSError):
        client.send(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _become(
    command: list[str], folder: str, environment: Mapping[str, str], files: list[int]
) -> None:
    """Turn this process into the requested program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    name, *arguments = command
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if (seconds := int(environment.get("VERIDECODE_SECONDS", 0))) and not EXACT:
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
