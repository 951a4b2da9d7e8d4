"""Planted bugs: a source file changed at one place, for one elaboration, in memory.

The design carries no code for bugs. A canary names a module, a snippet that stands in its source
exactly once, and what to put in its place; the model of a task is then built over freshly loaded
modules, among them the changed one, and the task must fail.
"""

import importlib.abc
import importlib.util
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

#: Packages loaded afresh under a canary; what changed reaches whoever imported it.
FRESH = ("design", "golden", "properties", "formal.harness")


@dataclass(frozen=True)
class Canary:
    """The bug `name`: in `module`, `snippet` (which stands there once) becomes `replacement`."""

    name: str
    module: str
    snippet: str
    replacement: str


class _Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from changed code."""

    def __init__(self, module: str, code: CodeType):
        self.module = module
        self.code = code

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.module:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def _mutate(canary: Canary) -> CodeType:
    spec = importlib.util.find_spec(canary.module)
    if spec is None or spec.origin is None:
        raise ValueError(f"canary {canary.name!r}: no module {canary.module}")
    source = Path(spec.origin).read_text(encoding="utf-8")
    times = source.count(canary.snippet)
    if times != 1:
        raise ValueError(
            f"canary {canary.name!r}: its snippet stands {times} times in {canary.module}"
        )
    return compile(source.replace(canary.snippet, canary.replacement), spec.origin, "exec")


@contextmanager
def _planted(canary: Canary, *also: str) -> Iterator[None]:
    planter = _Planter(canary.module, _mutate(canary))
    roots = (*FRESH, canary.module, *also)
    aside = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if any(name == root or name.startswith(f"{root}.") for root in roots)
    }
    sys.meta_path.insert(0, planter)
    try:
        yield
    finally:
        sys.meta_path.remove(planter)
        for name in list(sys.modules):
            if any(name == root or name.startswith(f"{root}.") for root in roots):
                del sys.modules[name]
        sys.modules.update(aside)


def build_under(canary: Canary | None, factory: Callable, *args: Any, **kwargs: Any) -> Any:
    """``factory(*args, **kwargs)``, with the bug planted if there is one.

    Raises ValueError when the snippet does not stand exactly once in its module. Not to be called
    from two threads at once: the table of modules is the interpreter's.
    """
    if canary is None:
        return factory(*args, **kwargs)
    # Pickled by name and loaded again inside, the factory, its configuration and every enum in it
    # are those of the fresh modules.
    call = pickle.dumps((factory, args, kwargs))
    with _planted(canary, factory.__module__):
        factory, args, kwargs = pickle.loads(call)
        return factory(*args, **kwargs)
