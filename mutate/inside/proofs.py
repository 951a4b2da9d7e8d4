"""Theorems, proved under the mutant of this process."""

from pathlib import Path
from typing import Any

from formal.elaborate import Request, in_process
from formal.model import Netlist
from formal.runner import Runner
from formal.tasks import select
from mutate.answer import is_scarce

#: The configuration that mutants are proved at.
CONFIG = "nano"


def tasks() -> list[str]:
    """The ids of all theorems that are proved at `CONFIG`."""
    return [task.id for task, _ in select((), CONFIG)]


def prove(task_id: str, folder: Path, cache: bool = True) -> dict[str, Any]:
    """Prove one theorem: `refuted` says what is wrong, empty if it holds.

    `undecided` says why nobody knows: because time ran out, or because an engine failed. What the
    harness raises is the fault of what it elaborates. Without `cache` nothing is read from the
    cache of proofs, so that all of the work is seen.
    """
    ((task, config),) = ((t, c) for t, c in select((task_id,), CONFIG) if t.id == task_id)
    raised: list[Exception] = []

    def elaborate(request: Request) -> Netlist:
        try:
            return in_process(request)
        except Exception as error:
            raised.append(error)
            raise

    runner = Runner(build=folder, cache=cache, proofs_only=True, elaborate=elaborate)
    result = runner.run(task, config)
    if raised and is_scarce(raised[0]):
        raise raised[0]
    status = result.proof.status if result.proof else "" if raised else "ERROR"
    undecided = status in ("TIMEOUT", "ERROR")
    return {
        "refuted": "" if undecided else result.detail,
        "undecided": f"{status}: {result.detail}" if undecided else "",
        "cycle": result.proof.cycles if result.proof else None,
    }
