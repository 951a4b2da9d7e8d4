"""Safety proofs and covers with sby."""

import re
import subprocess
import time
from pathlib import Path

from formal.engines.outcome import Job, Outcome, digest_of
from formal.engines.programs import launch
from formal.model import THEOREM

_SBY = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
vcd {vcd}
[engines]
{line}
[script]
read_rtlil model.il
prep -flatten -top top
[files]
model.il
"""


def run(job: Job, folder: Path) -> Outcome:
    """Run sby in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.il").write_text(job.netlist)
    (folder / "job.sby").write_text(
        _SBY.format(
            mode=job.mode,
            depth=job.depth,
            timeout=job.timeout * launch.BUSY,
            vcd="on" if job.waves else "off",
            line=job.line,
        )
    )
    if job.line.startswith("abc"):
        launch.abc_program()  # raises if it is not installed
    start = time.monotonic()
    late = False
    try:
        command = ["sby", "-f", "-d", "work", "job.sby"]
        launch.run(
            command, folder, job.timeout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        late = True
    except subprocess.CalledProcessError:
        pass  # `_read` finds the reason in the log
    return _read(job, folder / "work", time.monotonic() - start, late)


def _read(job: Job, work: Path, seconds: float, late: bool) -> Outcome:
    """The outcome, from the files of sby in `work`."""
    log = work / "logfile.txt"
    text = log.read_text() if log.exists() else ""
    done = re.search(r"DONE \((\w+), rc=\d+\)", text)
    status = done[1] if done else "ERROR"
    if not done and "Reached TIMEOUT" in text:
        # The timeout came before sby had a result to summarise.
        status = "TIMEOUT"
    if status == "ERROR" and re.search(r"Status returned by engine.*: FAIL", text):
        # sby may fail while writing the trace of a valid counterexample.
        status = "FAIL"
    if late and status not in ("PASS", "FAIL"):
        # For sby, a solver killed at its time limit has failed.
        status = "TIMEOUT"
    kind = "cover" if job.mode == "cover" else "assert"
    hit = r"Reached cover statement.*" if kind == "cover" else r"Assert failed.*"
    named = re.findall(rf"{hit}\b{THEOREM}\.{kind}_(\w+)", text)
    steps = re.findall(r"Checking assertions in step (\d+)|frame (\d+)|in step (\d+) at", text)
    traces = sorted(work.glob("engine_0/trace*.vcd")) if status in ("FAIL", "UNKNOWN") else []
    return Outcome(
        status=status,
        # On a timeout, the CPU limit; the wall-clock time may be longer.
        seconds=job.timeout if status == "TIMEOUT" else round(seconds, 1),
        named=tuple(dict.fromkeys(named)),
        found=_properties(work / "model", kind),
        assumed=_assumed(work / "model"),
        netlist=digest_of(work / "src" / "model.il"),
        cycles=max((int("".join(step)) + 1 for step in steps), default=None),
        trace=str(traces[0]) if traces else None,
        log=str(log),
    )


def _properties(model: Path, kind: str) -> tuple[str, ...]:
    """Names of the properties in the file that the engine read."""
    smt2 = list(model.glob("design_smt2*.smt2"))
    if smt2:
        lines = re.findall(rf"^; yosys-smt2-{kind} \d+ (\S+)", smt2[0].read_text(), re.MULTILINE)
    else:
        aiger = model / "design_aiger.aig"
        prepared = model / "design_prep.il"
        if not aiger.exists():
            return ()
        lines = re.findall(rf"^  cell \${kind} \\(\S+)", prepared.read_text(), re.MULTILINE)
        # This AIGER file has no names, but its header counts the bad states.
        with aiger.open("rb") as file:
            header = file.readline().split()
        if len(header) < 7 or int(header[6]) != len(lines):
            return ()
    prefix = f"{THEOREM}.{kind}_"
    return tuple(sorted(line.removeprefix(prefix) for line in lines))


def _assumed(model: Path) -> tuple[str, ...]:
    """Names of the suppositions, including those of the harness, in the flat design.

    Not from the solver's file: there, yosys has removed suppositions that hold by construction or
    are duplicates.
    """
    flat = model / "design.il"
    text = flat.read_text() if flat.exists() else ""
    cells = re.findall(r"^  cell \$check \\\S*\bassume_(\w+)$", text, re.MULTILINE)
    return tuple(sorted(cells))
