"""What an engine is asked, and what it answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One question to an engine: `netlist` (RTLIL), `mode` (prove, bmc or cover), how deep, and how
    many seconds of the processor each program may take (`timeout`).

    `line` is the engine as sby names it; `waves` asks for the waveform of a counterexample, which
    can take longer than to find it.
    """

    netlist: str
    mode: str
    line: str
    depth: int
    timeout: int
    waves: bool = True

    @property
    def digest(self) -> str:
        """What the outcome must name as the netlist that was read."""
        return hashlib.sha256(self.netlist.encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """The answer to a job.

    `status` is PASS, FAIL (a counterexample from the reset state), UNKNOWN (the induction does not
    hold), TIMEOUT or ERROR. `named` are the claims violated or, in mode cover, the witnesses
    reached; `found` are the properties of that kind the engine was given, `assumed` what it was
    told to suppose. `netlist` is the digest of the netlist that the engine read. `cycles` is the
    length of the trace and `trace` its file; `log` is the engine's. `cover` is what a proof showed
    of the witnesses, where it comes by them all. `cached` tells that the answer is remembered.
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
    def remembered(cls, stored: Mapping[str, Any]) -> "Outcome":
        """The outcome of which `stored`, read from JSON, has the fields."""
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        cover = stored["cover"] and cls.remembered(stored["cover"])
        return cls(**(fields | {"cover": cover, "cached": True}))


def digest_of(netlist: Path) -> str:
    """The digest of the file that a tool read, as it lies there after; empty if there is none."""
    return hashlib.sha256(netlist.read_bytes()).hexdigest() if netlist.is_file() else ""
