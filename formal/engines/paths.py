"""What can reach what: answers by walking the netlist, exact for "no" and quick at any size.

The claims are pairs of outputs: no bit of ``apart_from_x`` reaches one of ``apart_to_x``. Witnesses
are pairs between which a way must be found, so that a graph with a hole in it is told.
"""

import dataclasses
import subprocess
import time
from pathlib import Path

from formal.engines import graph
from formal.engines.outcome import Job, Outcome, digest_of
from properties.dialect import APART, CUT, REACHES


def run(job: Job, folder: Path) -> Outcome:
    """Look for the paths that the netlist claims not to have, and for those it claims to have;
    in mode cover for the latter alone.

    `job.line` is ``through registers`` or ``within a cycle``.
    """
    start = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    asked = Outcome("ERROR", log=str(folder / "logfile.txt"))
    try:
        graph.synthesise(job.netlist, folder, job.timeout)
    except subprocess.TimeoutExpired:
        netlist = digest_of(folder / "model.il")
        return dataclasses.replace(asked, status="TIMEOUT", seconds=job.timeout, netlist=netlist)
    except subprocess.CalledProcessError:
        return asked
    bits = graph.Graph.read(folder / "graph.json")
    asked = dataclasses.replace(asked, netlist=digest_of(folder / "model.il"))
    cover = _walk(bits, REACHES, job, folder, asked)
    seconds = round(time.monotonic() - start, 1)
    if job.mode == "cover":
        return dataclasses.replace(cover, seconds=seconds)
    proof = _walk(bits, APART, job, folder, asked)
    return dataclasses.replace(proof, seconds=seconds, cover=cover)


def _walk(bits: graph.Graph, kind: str, job: Job, folder: Path, asked: Outcome) -> Outcome:
    """`asked`, answered for the pairs of one `kind`."""
    names = [
        name.removeprefix(f"{kind}to_") for name in bits.ports if name.startswith(f"{kind}to_")
    ]
    ways = {
        name: bits.path(
            set(bits.ports[f"{kind}from_{name}"]),
            bits.ports[f"{kind}to_{name}"],
            cuts=bits.ports_called(CUT),
            registers=job.line == "through registers",
        )
        for name in names
    }
    found = tuple(sorted(name for name, way in ways.items() if way))
    holds = len(found) == len(names) if kind == REACHES else not found
    told = folder / ("witnesses.txt" if kind == REACHES else "paths.txt")
    told.write_text("".join(_tell(bits, name, way) for name, way in ways.items() if way))
    return dataclasses.replace(
        asked,
        status="PASS" if holds else "FAIL",
        named=found,
        found=tuple(sorted(names)),
        trace=None if holds else str(told),
    )


def _tell(bits: graph.Graph, name: str, way: list[int]) -> str:
    named = dict.fromkeys(bits.names[bit] for bit in way if bit in bits.names)
    return "".join(f"{line}\n" for line in (name, *(f"  {bit}" for bit in named)))
