"""Runs a function in a fresh process, in which one file of the repository may be another.

The process is forked from a server (`mutate.server`) that has loaded the libraries but no module of
the mutated rooms, so nothing stands of the original. The working tree is never written:
`tools.sources` loads modules from the given content, and digests it in place of the file's.

The server is none of `multiprocessing`: that has one for all of a process, which loads what its
first user wants (harnesses, for instance, and with them `design`), and whose forks import the main
module. This one is ours alone, in an environment that is always the same.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mutate.answer import Answer, Request
from mutate.pool import ROOMS
from tools import evidence
from tools.sources import ROOT, SOURCES

_START = "import sys; from mutate.server import serve; serve(int(sys.argv[1]))"


def call(
    function: str,
    *arguments: Any,
    path: str = "",
    content: bytes = b"",
    limit: float = 600.0,
    observe: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Answer:
    """Call `function` (``module:name``) with `content` in place of the file `path`, if given.

    After `limit` seconds of CPU time it is stopped. The executed lines of the rooms `observe` are
    reported, those of imports as well. `environment` is added to its own. What it prints is
    appended to `log`.
    """
    added = dict(environment or {})
    request = Request(function, arguments, path, content, limit, observe, added, log)
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_server().socket, [b"."], [theirs.fileno()])
    with Connection(ours.detach()) as connection:
        try:
            connection.send(request)
            return connection.recv()
        except (EOFError, OSError):
            return Answer("unanswered", detail="the server of processes has ended")


def simulations(folder: Path) -> dict[str, str]:
    """The environment in which simulations are built, and cached, in `folder`."""
    return {"VERIDECODE_CACHE": str(folder / "sim")}


class _Server:
    """The process of `mutate.server`, which ends when its `socket` is closed."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
                cwd=ROOT,
                # The order of sets must not differ from one run to the next.
                env={
                    "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
                    "PYTHONPATH": str(ROOT),
                    **evidence.environment(),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)
        assert self.process.stdout is not None
        with self.process.stdout as output:
            ready = output.readline()
        if not ready:
            raise RuntimeError("the server of processes does not start")
        read = json.loads(ready)
        # It was started later than this process, and may have read other sources.
        if changed := SOURCES.differing(read):
            raise RuntimeError(f"{', '.join(changed)} changed while this was running")
        if early := [path for path in read if path.partition("/")[0] in ROOMS]:
            raise RuntimeError(f"the server of processes has loaded {', '.join(early)}")

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    def close(self) -> None:
        """End it."""
        self.socket.close()
        self.process.wait()


_servers: list[_Server] = []


def _server() -> _Server:
    """The server, started anew if somebody has ended it."""
    if not (_servers and _servers[-1].lives):
        _servers.append(_Server())
    return _servers[-1]
