"""The job of an engine, and its outcome."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """A job of an engine: `netlist` (RTLIL), `mode` (prove, bmc or cover), `depth`, and `timeout`,
    the CPU seconds that each program may take.

    `line` is the engine in the syntax of sby; `waves` requests the waveform of a counterexample,
    which can take longer than finding it.
    """

    netlist: str
    mode: str
    line: str
    depth: int
    timeout: int
    waves: bool = True

    @property
    def digest(self) -> str:
        """The digest that `Outcome.netlist` must equal."""
        return hashlib.sha256(self.netlist.encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    `status` is PASS, FAIL (a counterexample from the reset state), UNKNOWN (the induction fails),
    TIMEOUT or ERROR. `named` are the claims violated or, in mode cover, the witnesses reached;
    `found` are the properties of that kind in the engine's input, `assumed` the suppositions there.
    `netlist` is the digest of the netlist that the engine read. `cycles` is the length of the trace
    and `trace` its file; `log` is that of the engine. `cover` is the outcome for the witnesses, if
    a proof covers them, too. `cached`: the outcome comes from the cache.
    """

    status: str
    seconds: float = 0.0
    named: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    netlist: str = ""
    cycles: int | None = None
    trace: str | None = None
    log: str | None = None
    cover: "Outcome | None" = None
    cached: bool = field(default=False, compare=False)

    @classmethod
    def from_cache(cls, stored: Mapping[str, Any]) -> "Outcome":
        """The outcome with the fields of `stored`, read from JSON."""
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        cover = stored["cover"] and cls.from_cache(stored["cover"])
        return cls(**(fields | {"cover": cover, "cached": True}))


def digest_of(netlist: Path) -> str:
    """The digest of the file that a tool read, computed after the run; empty without a file."""
    return hashlib.sha256(netlist.read_bytes()).hexdigest() if netlist.is_file() else ""
