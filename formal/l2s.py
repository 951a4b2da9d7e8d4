"""Liveness under fairness, by liveness-to-safety and PDR.

ABC reads its obligations off output names: ``assume_fair_x`` is high infinitely often by
assumption, ``assert_fair_x`` is to be proved so.
"""

import re
import subprocess
import time
from pathlib import Path

from formal import tools
from formal.outcome import Job, Outcome
from properties.dialect import ASSERT_FAIR

_SCRIPT = """\
read_rtlil model.il
prep -flatten -top top
delete */t:$check
opt_clean
memory_map
techmap
opt -full
dfflegalize -cell $_DFF_P_ 01
aigmap
opt_clean
write_blif model.blif
"""


def run(job: Job, folder: Path) -> Outcome:
    """Prove the ``assert_fair_`` outputs of the netlist, or find a loop that misses one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.il").write_text(job.netlist)
    (folder / "model.ys").write_text(_SCRIPT)
    start = time.monotonic()
    log = folder / "logfile.txt"
    try:
        with log.open("w") as sink:
            for command in (
                ["yosys", "-q", "model.ys"],
                [str(tools.abc_program()), "-c", "read_blif model.blif; strash; l2s; pdr"],
            ):
                subprocess.run(
                    command,
                    cwd=folder,
                    env=tools.environment(folder),
                    stdout=sink,
                    stderr=sink,
                    timeout=job.timeout,
                    check=True,
                )
        status = _status(log.read_text())
    except subprocess.TimeoutExpired:
        status = "TIMEOUT"
    except subprocess.CalledProcessError:
        status = "ERROR"
    found = _claims(folder / "model.blif")
    return Outcome(
        status=status,
        seconds=round(time.monotonic() - start, 1),
        named=found if status == "FAIL" else (),
        found=found,
        log=str(log),
    )


def _status(text: str) -> str:
    if "Property proved" in text:
        return "PASS"
    return "FAIL" if re.search(r"was asserted in frame", text) else "ERROR"


def _claims(blif: Path) -> tuple[str, ...]:
    """Names of the claims in the file that ABC read."""
    if not blif.exists():
        return ()
    outputs = re.search(r"^\.outputs (.*)", blif.read_text(), re.MULTILINE)
    names = outputs[1].split() if outputs else []
    return tuple(
        sorted(name.removeprefix(ASSERT_FAIR) for name in names if name.startswith(ASSERT_FAIR))
    )
