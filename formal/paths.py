"""What can reach what: answers by walking the netlist, exact for "no" and quick at any size.

The claims are pairs of outputs: no bit of ``apart_from_x`` reaches one of ``apart_to_x``. Witnesses
are pairs between which a way must be found, so that a graph with a hole in it is told.
"""

import os
import subprocess
import time
from collections import deque
from pathlib import Path

from formal import graph
from formal.outcome import Job, Outcome
from properties.dialect import APART, CUT, REACHES

#: Netlists and their graphs; as many as there may be threads that walk them.
_LAST: deque[tuple[str, graph.Graph]] = deque(maxlen=os.cpu_count() or 1)


def run(job: Job, folder: Path) -> Outcome:
    """Look for the paths that the netlist claims not to have, or (mode cover) to have.

    `job.line` is ``through registers`` or ``within a cycle``.
    """
    start = time.monotonic()
    log = folder / "logfile.txt"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        bits = _graph(job, folder)
    except subprocess.TimeoutExpired:
        return Outcome("TIMEOUT", job.timeout, log=str(log))
    except subprocess.CalledProcessError:
        return Outcome("ERROR", log=str(log))
    kind = REACHES if job.mode == "cover" else APART
    cuts = bits.ports_called(CUT)
    names = [
        name.removeprefix(f"{kind}to_") for name in bits.ports if name.startswith(f"{kind}to_")
    ]
    ways = {
        name: bits.path(
            set(bits.ports[f"{kind}from_{name}"]),
            bits.ports[f"{kind}to_{name}"],
            cuts=cuts,
            registers=job.line == "through registers",
        )
        for name in names
    }
    found = tuple(sorted(name for name, way in ways.items() if way))
    if job.mode == "cover":
        status = "PASS" if len(found) == len(names) else "FAIL"
    else:
        status = "FAIL" if found else "PASS"
    told = folder / "paths.txt"
    told.write_text("".join(_tell(bits, name, way) for name, way in ways.items() if way))
    return Outcome(
        status=status,
        seconds=round(time.monotonic() - start, 1),
        named=found,
        found=tuple(sorted(names)),
        trace=str(told) if status == "FAIL" else None,
        log=str(log),
    )


def _graph(job: Job, folder: Path) -> graph.Graph:
    """The graph of the netlist; the last are kept, since a cover asks about that of the proof."""
    for netlist, known in list(_LAST):
        if netlist == job.netlist:
            return known
    graph.synthesise(job.netlist, folder, job.timeout)
    _LAST.append((job.netlist, graph.Graph.read(folder / "graph.json")))
    return _LAST[-1][1]


def _tell(bits: graph.Graph, name: str, way: list[int]) -> str:
    named = dict.fromkeys(bits.names[bit] for bit in way if bit in bits.names)
    return "".join(f"{line}\n" for line in (name, *(f"  {bit}" for bit in named)))
