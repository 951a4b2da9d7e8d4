"""Proofs on a farm: each worker proves what it is given, in the same folder, as this process would.

Netlists and answers are files by content (`formal.cache`), so what was proved before a worker died
is not asked again, and the verdict is the same however the work was spread.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from formal.runner import Result, Runner
from formal.tasks import TASKS
from formal.tasks.task import Task
from tools import evidence
from tools.farm import Farm, spread

#: What a `Runner` of a worker has of the one here.
_SETTINGS = ("build", "engine", "cache", "bugs_only", "proofs_only", "waves")
#: A worker may have threads; planted bugs are planted in the modules of its process.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Order:
    """A property to prove at a configuration, by a `Runner` of these settings, of these `sources`
    (`tools.evidence`)."""

    task: str
    config: str
    sources: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.task} {self.config}"


def prove_all(farm: Farm, runner: Runner, pairs: Sequence[tuple[Task, str]]) -> Iterator[Result]:
    """The results of `pairs`, as they are ready; raises FarmError."""
    sources = evidence.sources()
    settings = {name: getattr(runner, name) for name in _SETTINGS}
    orders = [Order(task.id, config, sources, settings) for task, config in pairs]
    for order, answer in spread(farm, prove, orders):
        task = _task(order.task).for_config(order.config)
        yield Result(task=task, config=order.config, **answer)


def prove(order: Order) -> dict[str, Any]:
    """Prove it in this process; red if the sources are not those that were meant.

    Returns the result without its task, which cannot be pickled."""
    task = _task(order.task)
    with _ONE_AT_A_TIME:
        if evidence.sources() != order.sources:
            detail = "the worker has other sources, or they changed while this was running"
            return {"engine": task.engine, "detail": detail}
        answer = vars(Runner(**order.settings).run(task, order.config))
    return {name: value for name, value in answer.items() if name not in ("task", "config")}


def _task(id: str) -> Task:
    (task,) = [task for task in TASKS if task.id == id]
    return task
