"""Explicit-state model checking: visits every reachable state. For control, with few states.

The claims hold for all time because all reachable states are visited. Logic outside the cone of
influence, the data, is removed. `circuit` makes the model, in which everything that the netlist
leaves open has any value.
"""

import dataclasses
import re
import subprocess
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from formal.engines.aiger import question
from formal.engines.circuit import Circuit, circuit_of
from formal.engines.outcome import Job, Outcome, digest_of
from formal.engines.programs import launch
from tools.compiled import compiled

_SOURCE = Path(__file__).with_name("explore.cpp")


def run(job: Job, folder: Path, *, certify: bool = False) -> Outcome:
    """Visit all states, which also covers the witnesses; in mode cover, until all are covered.

    With `certify`, a proof leaves in `folder` the files for `certificate`. The `trace` of a failure
    has the inputs that are high in each cycle from reset on.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "logfile.txt"
    try:
        circuit = circuit_of(job, folder)
        (folder / "model.txt").write_text(circuit.text())
        question(circuit).write(folder / "model.aig")
        program = compiled(_SOURCE, folder.parent.parent, "-O3", "-march=native")
        mode = "cover" if job.mode == "cover" else "prove"
        command = ["limited", str(program), "model.txt", mode, "run.txt"]
        command += ["."] if certify else []
        output = launch.run(command, folder, job.timeout, capture_output=True, text=True).stdout
        log.write_text(output)
    except subprocess.TimeoutExpired:
        netlist = digest_of(folder / "model.il")
        return Outcome("TIMEOUT", job.timeout, netlist=netlist, log=str(log))
    except subprocess.CalledProcessError as error:
        with log.open("a") as lines:  # after the output of yosys
            lines.write(f"{error}\n{error.stderr or ''}")
        return Outcome("ERROR", log=str(log))

    def reported(kind: str, conditions: Mapping[str, int]) -> dict[str, int]:
        """The names of the conditions reported as `kind`, each with its number of cycles."""
        names = list(conditions)
        lines = re.findall(rf"^{kind} (\d+) (\d+)", output, re.M)
        return {names[int(n)]: int(cycles) for n, cycles in lines}

    def answer(
        status: bool,
        hits: Mapping[str, int],
        conditions: Collection[str],
        trace: Path | None = None,
    ) -> Outcome:
        return Outcome(
            status="PASS" if status else "FAIL",
            seconds=round(time.monotonic() - start, 1),
            named=tuple(hits),
            found=tuple(sorted(conditions)),
            assumed=tuple(sorted(circuit.suppositions)),
            netlist=digest_of(folder / "model.il"),
            cycles=max(hits.values(), default=None),
            trace=str(trace) if trace else None,
            log=str(log),
        )

    witnesses, claims = circuit.witnesses, circuit.claims | circuit.live
    met, broken = reported("met", witnesses), reported("hit", claims)
    cover = answer(len(met) == len(witnesses), met, witnesses)
    if job.mode == "cover":
        return cover
    if broken:
        _write_trace(circuit, folder)
        return answer(False, broken, claims, folder / "trace.txt")
    return dataclasses.replace(
        answer(True, {}, claims), cover=dataclasses.replace(cover, seconds=0.0)
    )


def _write_trace(circuit: Circuit, folder: Path) -> None:
    """Write the inputs that are high in each cycle of the counterexample."""
    lines = []
    for cycle, word in enumerate((folder / "run.txt").read_text().split()):
        high = [name for n, name in enumerate(circuit.inputs) if int(word) >> n & 1]
        lines.append(f"{cycle:5} {' '.join(high)}\n")
    (folder / "trace.txt").write_text("".join(lines))
