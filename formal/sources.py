"""Which source files a model, or an engine, depends on, so that a change reaches only those.

A file depends on what it imports, and on the files beside it that it names: programs that it
starts or compiles.
"""

import ast
import functools
import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: When this process read its sources; what was written since is not what it runs.
STARTED = time.time()
_FILE_NAME = re.compile(r"\w+\.\w+")
#: CPython 3.11 makes a SystemError of two threads that build syntax trees at a time.
_PARSING = threading.Lock()


def reached(modules: Iterable[str]) -> set[Path]:
    """The files of `modules` and of all that they need, of this repository."""
    found: set[Path] = set()
    waiting = [path for module in modules for path in _files(module)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _needed(path)
    return found


def digest(modules: Iterable[str]) -> str | None:
    """A digest of what `reached` finds, names and contents; None if some was written meanwhile."""
    total = hashlib.sha256()
    for path in sorted(reached(modules)):
        if path.stat().st_mtime >= STARTED:
            return None
        total.update(f"{path.relative_to(ROOT)}\0{_content(path)}\0".encode())
    return total.hexdigest()


def _files(module: str) -> list[Path]:
    """The files of a dotted name and of all that it lies in; none for what is not ours."""
    parts = module.split(".")
    names = [ROOT.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]
    files = [file for name in names for file in (name.with_suffix(".py"), name / "__init__.py")]
    return [path for path in files if path.is_file()]


@functools.cache
def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parsed(text: str) -> ast.Module:
    """The syntax tree of a source, from any thread."""
    with _PARSING:
        return ast.parse(text)


@functools.cache
def _needed(path: Path) -> tuple[Path, ...]:
    if path.suffix != ".py":
        return ()
    tree = parsed(path.read_text(encoding="utf-8"))
    beside = [path.parent / name for name in _strings(tree) if _FILE_NAME.fullmatch(name)]
    imported = [file for module in _imports(tree) for file in _files(module)]
    return (*imported, *(file for file in beside if file.is_file()))


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _imports(tree: ast.AST) -> Iterator[str]:
    """All that may be modules; ``from a import b`` names ``a.b``, which may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
