"""Theorems, proved under the mutant of this process."""

from pathlib import Path
from typing import Any

from formal.runner import Runner
from formal.tasks import select

#: The configuration that mutants are proved at.
CONFIG = "nano"


def tasks() -> list[str]:
    """The ids of all theorems that are proved at `CONFIG`."""
    return [task.id for task, _ in select((), CONFIG)]


def prove(task_id: str, folder: Path) -> dict[str, Any]:
    """Prove one theorem: `refuted` says what is wrong, empty if it holds or if time ran out."""
    ((task, config),) = ((t, c) for t, c in select((task_id,), CONFIG) if t.id == task_id)
    result = Runner(build=folder, proofs_only=True).run(task, config)
    late = result.proof is not None and result.proof.status == "TIMEOUT"
    cycle = result.proof.cycles if result.proof is not None else None
    return {"refuted": "" if late else result.detail, "late": late, "cycle": cycle}
