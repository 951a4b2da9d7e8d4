"""Times proofs by shape: only the proof, without cover and planted bug."""

from pathlib import Path

from formal.engines.outcome import Job, Outcome
from formal.engines.table import engine_named
from formal.model import netlist
from formal.tasks import TASKS
from spec.config import Config

#: Memories with a symbolic address, and a ranking function.
IDS = ("kv.bypass.key", "kv.last_write.key", "done.ranking.score")


def prove(id: str, config: Config, folder: Path) -> Outcome:
    """The proof of task `id` for `config`, without the cache."""
    task = {task.id: task for task in TASKS}[id]
    engine = engine_named(task.engine)
    text = netlist(task.harness(config, **task.arguments)).text
    return engine.run(Job(text, task.mode, engine.line, task.depth, task.timeout), folder)
