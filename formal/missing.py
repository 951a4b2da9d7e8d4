"""What should have been proved and was not: a property nobody asked about is no green one."""

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
    """Every theorem in `package`. Of its dialect, of classes ``_x`` and of those that state nothing
    themselves theorems are made."""
    found: set[type[Theorem]] = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            own = each.__module__ == module.name and not each.__name__.startswith("_")
            states = hasattr(each, "elaborate")
            if own and states and issubclass(each, Theorem) and module.name != dialect.__name__:
                found.add(each)
    return found


def from_table(tasks: Sequence[Task], stated: Collection[type[Theorem]]) -> list[str]:
    """What is wrong with the table: theorems without a task, tasks that are not told apart."""
    used = {task.theorem for task in tasks}
    unused = sorted(f"{each.__module__}.{each.__name__}" for each in set(stated) - used)
    twice = [id for id, times in Counter(task.id for task in tasks).items() if times > 1]
    empty = [task.id for task in tasks if not task.all_configs]
    return [
        *(f"no task proves {name}" for name in unused),
        *(f"{id} stands in the table more than once" for id in twice),
        *(f"{id} is for no configuration" for id in empty),
    ]


def from_results(pairs: Sequence[tuple[Task, str]], results: Sequence[Result]) -> list[str]:
    """The properties that were asked about and have no result, or more than one."""
    asked = Counter((task.id, config) for task, config in pairs)
    told = Counter((result.task.id, result.config) for result in results)
    return [
        f"{id} {config} has {told[id, config]} results"
        for id, config in sorted(asked | told)
        if told[id, config] != 1
    ]
