"""Theorems without a task, and tasks without a result: a property that was not run is not green."""

import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Collection, Sequence
from types import ModuleType

import properties
from formal.runner import Result
from formal.tasks.task import Task
from properties import dialect
from properties.dialect import Theorem


def theorems(package: ModuleType = properties) -> set[type[Theorem]]:
    """Every theorem in `package`, without base classes: those of the dialect, classes ``_x``, and
    classes without statements."""
    result: set[type[Theorem]] = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            own = kind.__module__ == module.name != dialect.__name__
            named = own and not kind.__name__.startswith("_")
            if named and issubclass(kind, Theorem) and kind.describe is not Theorem.describe:
                result.add(kind)
    return result


def from_table(tasks: Sequence[Task], stated: Collection[type[Theorem]]) -> list[str]:
    """Errors of the table: theorems without a task, duplicate ids, tasks without configurations."""
    used = {task.theorem for task in tasks}
    unused = sorted(f"{kind.__module__}.{kind.__name__}" for kind in set(stated) - used)
    twice = [id for id, times in Counter(task.id for task in tasks).items() if times > 1]
    empty = [task.id for task in tasks if not task.all_configs]
    return [
        *(f"no task proves {name}" for name in unused),
        *(f"{id} is in the table more than once" for id in twice),
        *(f"{id} has no configuration" for id in empty),
    ]


def from_results(pairs: Sequence[tuple[Task, str]], results: Sequence[Result]) -> list[str]:
    """The selected properties with no result, or more than one."""
    selected = Counter((task.id, config) for task, config in pairs)
    times = Counter((result.task.id, result.config) for result in results)
    return [
        f"{id} {config} has {times[id, config]} results"
        for id, config in sorted(selected | times)
        if times[id, config] != 1
    ]
