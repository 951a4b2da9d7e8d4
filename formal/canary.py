"""Planted bugs: a source file changed at one place, for one elaboration, in memory.

The design carries no code for bugs. A canary names a module, a snippet that stands in its source
exactly once, and what to put in its place; the model of a task is then built over freshly loaded
modules, among them the changed one, and the task must fail.
"""

import importlib.util
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from tools import sources

#: Packages loaded afresh under a canary; what changed reaches whoever imported it.
FRESH = ("spec", "design", "golden", "properties", "formal.harness")


@dataclass(frozen=True)
class Canary:
    """The bug `name`: in `module`, `snippet` (which stands there once) becomes `replacement`."""

    name: str
    module: str
    snippet: str
    replacement: str


class _Planter(sources.Loader):
    """Finds and loads one module, from changed code."""

    def __init__(self, module: str, path: str, code: CodeType):
        super().__init__(module, path, sources.SOURCES)
        self.code = code

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return self.code


def _mutate(canary: Canary) -> _Planter:
    spec = importlib.util.find_spec(canary.module)
    if spec is None or spec.origin is None:
        raise ValueError(f"canary {canary.name!r}: no module {canary.module}")
    source = sources.SOURCES.content(Path(spec.origin)).decode()
    times = source.count(canary.snippet)
    if times != 1:
        raise ValueError(
            f"canary {canary.name!r}: its snippet stands {times} times in {canary.module}"
        )
    changed = source.replace(canary.snippet, canary.replacement)
    code = compile(changed, spec.origin, "exec", dont_inherit=True)
    return _Planter(canary.module, spec.origin, code)


@contextmanager
def _planted(canary: Canary, *also: str) -> Iterator[None]:
    planter = _mutate(canary)
    roots = (*FRESH, canary.module, *also)
    aside = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if any(name == root or name.startswith(f"{root}.") for root in roots)
    }
    sys.meta_path.insert(0, planter)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(planter)  # type: ignore[arg-type]
        for name in list(sys.modules):
            if any(name == root or name.startswith(f"{root}.") for root in roots):
                del sys.modules[name]
        sys.modules.update(aside)


def build_under(canary: Canary | None, factory: Callable, *args: Any, **kwargs: Any) -> Any:
    """``factory(*args, **kwargs)``, with the bug planted if there is one.

    Raises ValueError when the snippet does not stand exactly once in its module, and when modules
    are loaded that `sources` does not find. Not to be called
    from two threads at once: the table of modules is the interpreter's.
    """
    if canary is None:
        return factory(*args, **kwargs)
    # Pickled by name and loaded again inside, the factory, its configuration and every enum in it
    # are those of the fresh modules.
    call = pickle.dumps((factory, args, kwargs))
    with _planted(canary, factory.__module__):
        factory, args, kwargs = pickle.loads(call)
        model = factory(*args, **kwargs)
        _check_reached(factory.__module__, canary)
        return model


def _check_reached(harness: str, canary: Canary) -> None:
    """What was loaded afresh must be what `sources` found, under which the model is remembered."""
    known = sources.SOURCES
    reached = known.reached(harness, canary.module)
    for name, module in list(sys.modules.items()):
        fresh = any(name == root or name.startswith(f"{root}.") for root in FRESH)
        path = Path(getattr(module, "__file__", None) or "")
        if fresh and known.ours(path) and path not in reached:
            raise ValueError(f"{harness} loads {name}, which no import of its sources names")
