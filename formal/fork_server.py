"""Runs the Python programs behind the engines, each in a fork of one process that has them loaded.

A proof starts nine of them, and most spend longer on their imports than on their work. Whoever
starts one starts `fork_client.cpp` under its name, which sends here what it was given.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable

from design.sources import SOURCES
from formal import wheel_program

#: By the names that sby and smtbmc call them.
PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "sby": wheel_program.load("sby"),
    "yosys-smtbmc": wheel_program.load("smtbmc"),
    "yosys-witness": wheel_program.load("witness"),
}
# There are platforms without the one or the other.
with contextlib.suppress(ImportError):
    from formal import native_yosys

    PROGRAMS["yosys"] = native_yosys.main
with contextlib.suppress(ImportError):
    from formal import bitwuzla_smt2

    PROGRAMS["bitwuzla"] = bitwuzla_smt2.main
_SIZE = struct.Struct("=I")


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
    ended, program_lives = os.pipe()
    program = os.fork()
    if program == 0:
        os.close(ended)
        client.close()
        os.setpgid(0, 0)
        _become(bytes(request), files)
    os.close(program_lives)
    for file in files:
        os.close(file)
    gone, _, _ = select.select([ended, client.fileno()], [], [])
    if ended not in gone:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program, signal.SIGTERM)
    _, status = os.waitpid(program, 0)
    code = os.waitstatus_to_exitcode(status)
    with contextlib.suppress(OSError):
        client.send(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _become(request: bytes, files: list[int]) -> None:
    """Be the program asked for."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, count, *words = request.decode(errors="surrogateescape").split("\0")[:-1]
    name, *arguments = words[: int(count)]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(dict(each.split("=", 1) for each in words[int(count) :]))
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
