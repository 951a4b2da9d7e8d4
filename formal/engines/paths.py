"""Structural reachability in the netlist: sound for "no path", and fast at any size.

The claims are pairs of outputs: no bit of ``apart_from_x`` reaches one of ``apart_to_x``. Witnesses
are pairs with a path that must be found, so that a graph with a missing path is detected.
"""

import dataclasses
import subprocess
import time
from pathlib import Path

from formal.engines import graph
from formal.engines.outcome import Job, Outcome, digest_of
from properties.dialect import APART, CUT, REACHES


def run(job: Job, folder: Path) -> Outcome:
    """Search for the paths that the claims exclude, and for those of the witnesses; in mode cover
    only for the latter.

    `job.line` is ``through registers`` or ``within a cycle``.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome("ERROR", log=str(folder / "logfile.txt"))
    try:
        graph.synthesise(job.netlist, folder, job.timeout)
    except subprocess.TimeoutExpired:
        netlist = digest_of(folder / "model.il")
        return dataclasses.replace(outcome, status="TIMEOUT", seconds=job.timeout, netlist=netlist)
    except subprocess.CalledProcessError:
        return outcome
    bits = graph.Graph.read(folder / "graph.json")
    outcome = dataclasses.replace(outcome, netlist=digest_of(folder / "model.il"))
    cover = _walk(bits, REACHES, job, folder, outcome)
    seconds = round(time.monotonic() - start, 1)
    if job.mode == "cover":
        return dataclasses.replace(cover, seconds=seconds)
    proof = _walk(bits, APART, job, folder, outcome)
    return dataclasses.replace(proof, seconds=seconds, cover=cover)


def _walk(bits: graph.Graph, kind: str, job: Job, folder: Path, outcome: Outcome) -> Outcome:
    """`outcome`, completed for the pairs of one `kind`."""
    names = [
        name.removeprefix(f"{kind}to_") for name in bits.ports if name.startswith(f"{kind}to_")
    ]
    path_of = {
        name: bits.path(
            set(bits.ports[f"{kind}from_{name}"]),
            bits.ports[f"{kind}to_{name}"],
            cuts=bits.ports_called(CUT),
            registers=job.line == "through registers",
        )
        for name in names
    }
    connected = tuple(sorted(name for name, path in path_of.items() if path))
    holds = len(connected) == len(names) if kind == REACHES else not connected
    trace = folder / ("witnesses.txt" if kind == REACHES else "paths.txt")
    trace.write_text("".join(_text(bits, name, path) for name, path in path_of.items() if path))
    return dataclasses.replace(
        outcome,
        status="PASS" if holds else "FAIL",
        named=connected,
        found=tuple(sorted(names)),
        trace=None if holds else str(trace),
    )


def _text(bits: graph.Graph, name: str, path: list[int]) -> str:
    named = dict.fromkeys(bits.names[bit] for bit in path if bit in bits.names)
    return "".join(f"{line}\n" for line in (name, *(f"  {bit}" for bit in named)))
