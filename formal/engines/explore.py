"""Every state that a model can reach, visited one by one: for control, whose states are few.

The claims hold for all time because no state is left. What no claim depends on, the data, is swept
away. `circuit` makes the model, in which whatever the netlist leaves open has any value.
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
    """Visit all states, which shows the witnesses too; in mode cover, until each was met.

    With `certify`, a proof leaves in `folder` what `certificate` checks. `trace` of a
    failure gives the inputs that are high in each cycle from reset on.
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
        found = launch.run(command, folder, job.timeout, capture_output=True, text=True).stdout
        log.write_text(found)
    except subprocess.TimeoutExpired:
        netlist = digest_of(folder / "model.il")
        return Outcome("TIMEOUT", job.timeout, netlist=netlist, log=str(log))
    except subprocess.CalledProcessError as error:
        with log.open("a") as lines:  # behind what yosys wrote
            lines.write(f"{error}\n{error.stderr or ''}")
        return Outcome("ERROR", log=str(log))

    def told(kind: str, asked: Mapping[str, int]) -> dict[str, int]:
        """The names of those asked about that were found, each with the cycles until then."""
        names = list(asked)
        lines = re.findall(rf"^{kind} (\d+) (\d+)", found, re.M)
        return {names[int(n)]: int(cycles) for n, cycles in lines}

    def answer(
        status: bool, hits: Mapping[str, int], asked: Collection[str], trace: Path | None = None
    ) -> Outcome:
        return Outcome(
            status="PASS" if status else "FAIL",
            seconds=round(time.monotonic() - start, 1),
            named=tuple(hits),
            found=tuple(sorted(asked)),
            assumed=tuple(sorted(circuit.suppositions)),
            netlist=digest_of(folder / "model.il"),
            cycles=max(hits.values(), default=None),
            trace=str(trace) if trace else None,
            log=str(log),
        )

    witnesses, claims = circuit.witnesses, circuit.claims | circuit.live
    met, broken = told("met", witnesses), told("hit", claims)
    cover = answer(len(met) == len(witnesses), met, witnesses)
    if job.mode == "cover":
        return cover
    if broken:
        _tell_run(circuit, folder)
        return answer(False, broken, claims, folder / "trace.txt")
    return dataclasses.replace(
        answer(True, {}, claims), cover=dataclasses.replace(cover, seconds=0.0)
    )


def _tell_run(circuit: Circuit, folder: Path) -> None:
    """Write which inputs are high in each cycle of the run that was found."""
    lines = []
    for cycle, word in enumerate((folder / "run.txt").read_text().split()):
        high = [name for n, name in enumerate(circuit.inputs) if int(word) >> n & 1]
        lines.append(f"{cycle:5} {' '.join(high)}\n")
    (folder / "trace.txt").write_text("".join(lines))
