"""What an engine is asked, and what it answers."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """One question to an engine: `netlist` (RTLIL), `mode` (prove, bmc or cover), how deep.

    `line` is the engine as sby names it; `waves` asks for the waveform of a counterexample, which
    can take longer than to find it.
    """

    netlist: str
    mode: str
    line: str
    depth: int
    timeout: int
    waves: bool = True


@dataclass(frozen=True)
class Outcome:
    """The answer to a job.

    `status` is PASS, FAIL (a counterexample from the reset state), UNKNOWN (the induction does not
    hold), TIMEOUT or ERROR. `named` are the claims violated or, in mode cover, the witnesses
    reached; `found` are the properties of that kind the engine was given, `assumed` what it was
    told to suppose; `cycles` is the length of the trace and `trace` its file; `log` is the
    engine's. `cached` tells that the answer is remembered.
    """

    status: str
    seconds: float = 0.0
    named: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    cycles: int | None = None
    trace: str | None = None
    log: str | None = None
    cached: bool = field(default=False, compare=False)
