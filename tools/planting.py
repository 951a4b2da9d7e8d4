"""Planted bugs: one node of a module's syntax tree replaced, for one elaboration, in memory.

The design contains no code for bugs. A bug names a module, a function in it, a node of that
function and the replacement; the model of a task is then built from freshly loaded modules,
including the changed one, and the task must fail.
"""

import ast
import copy
import difflib
import importlib.util
import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from tools import sources

#: Packages reloaded under a planted bug, so that every importer gets the changed module.
FRESH = ("spec", "design", "golden", "properties", "formal.harness")


@dataclass(frozen=True)
class PlantedBug:
    """The bug `name`: in `function` of `module`, `node` becomes `replacement`.

    `function` is a dotted path such as ``Class.method``, empty for the module itself. `node` is an
    expression or a statement that occurs exactly once in it; layout does not matter. A body
    ``...`` matches any body, which is kept where `replacement` has ``...``, too. A `replacement`
    may be several statements, or none. `written_at` is the file and line of the bug's entry.
    """

    name: str
    module: str
    function: str
    node: str
    replacement: str
    written_at: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self):
        object.__setattr__(self, "written_at", _written_at())


def _written_at() -> str:
    """The module-level line that makes the bug, skipping our helper functions in between."""
    caller = frame = sys._getframe(3)  # behind the generated __init__ of the dataclass
    while frame is not None and sources.SOURCES.ours(Path(frame.f_code.co_filename)):
        if frame.f_code.co_name == "<module>":
            caller = frame
            break
        frame = frame.f_back  # type: ignore[assignment]
    return f"{_relative(caller.f_code.co_filename)}:{caller.f_lineno}"


def _relative(path: str) -> Path:
    """`path` relative to the root of the repository, if it is below the root."""
    ours = sources.SOURCES.ours(Path(path))
    return Path(path).relative_to(sources.ROOT) if ours else Path(path)


def mutated(bug: PlantedBug) -> tuple[CodeType, str]:
    """The code of the module with the bug in it, and the path of its source; raises ValueError as
    `planted_tree` does."""
    planted = planted_tree(bug)
    return compile(planted.tree, planted.path, "exec", dont_inherit=True), planted.path


class PlantedTree(NamedTuple):
    """The syntax `tree` of a module with a bug in it, the `path` of its source, and the `line`
    there that the bug is in."""

    tree: ast.Module
    path: str
    line: int


def planted_tree(bug: PlantedBug) -> PlantedTree:
    """The syntax tree of the module with the bug in it.

    Raises ValueError unless the node occurs exactly once in the function. The message names the
    line of the bug's entry and the most similar line of the function.
    """
    entry = f"planted bug {bug.name!r} ({bug.written_at})"
    spec = importlib.util.find_spec(bug.module)
    if spec is None or spec.origin is None:
        raise ValueError(f"{entry}: no module {bug.module}")
    tree = sources.parsed(sources.SOURCES.content(Path(spec.origin)))
    scope = _function(tree, bug.function)
    pattern, replacement = _parsed(bug.node), _parsed(bug.replacement)
    if len(pattern) != 1:
        raise ValueError(f"{entry}: `node` is not one node")
    planter = _Planter(pattern[0], replacement)
    if scope is not None:
        planter.visit(scope)
    if len(planter.lines) != 1:
        function = f"{bug.module}.{bug.function}" if bug.function else bug.module
        if planter.lines:
            lines = ", ".join(map(str, planter.lines))
            raise ValueError(f"{entry}: `node` occurs at lines {lines} in {function}")
        nearest = _nearest(scope or tree, bug.node, spec.origin)
        raise ValueError(f"{entry}: `node` does not occur in {function}; nearest: {nearest}")
    return PlantedTree(ast.fix_missing_locations(tree), spec.origin, planter.lines[0])


def _function(tree: ast.Module, path: str) -> ast.AST | None:
    scope: ast.AST | None = tree
    for name in path.split(".") if path else ():
        kinds = (ast.FunctionDef, ast.ClassDef)
        nested = (node for node in ast.walk(scope) if isinstance(node, kinds)) if scope else ()
        scope = next((node for node in nested if node.name == name), None)
    return scope


def _parsed(text: str) -> list[ast.AST]:
    """The statements of `text`, or the expression if `text` is a single one."""
    statements = sources.parsed(textwrap.dedent(text)).body
    if len(statements) == 1 and isinstance(statements[0], ast.Expr):
        return [statements[0].value]
    return list(statements)


class _Planter(ast.NodeTransformer):
    """Replaces every match of `pattern` by `replacement`, and records the `lines`."""

    def __init__(self, pattern: ast.AST, replacement: list[ast.AST]):
        self.pattern = pattern
        self.replacement = replacement
        self.lines: list[int] = []

    def visit(self, node: ast.AST) -> Any:
        # An expression statement, such as a call, may become several statements.
        matched = node.value if isinstance(node, ast.Expr) else node
        bodies: list[list[ast.stmt]] = []
        if not _same(self.pattern, matched, bodies):
            return self.generic_visit(node)
        self.lines.append(matched.lineno)  # type: ignore[attr-defined]
        new = [_filled(copy.deepcopy(part), bodies) for part in self.replacement]
        if isinstance(node, ast.expr):
            return new[0]
        statements = [ast.Expr(part) if isinstance(part, ast.expr) else part for part in new]
        return statements or [ast.Pass()]


def _is_ellipsis(body: object) -> bool:
    """Whether `body` is the body ``...``."""
    return (
        isinstance(body, list)
        and len(body) == 1
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and body[0].value.value is ...
    )


def _same(pattern: object, node: object, bodies: list[list[ast.stmt]]) -> bool:
    """Whether `node` matches `pattern`; collects the bodies matched by ``...`` in `bodies`."""
    if isinstance(pattern, ast.AST):
        if type(pattern) is not type(node):
            return False
        return all(
            _same(getattr(pattern, name, None), getattr(node, name, None), bodies)
            for name in pattern._fields
            if name not in ("ctx", "type_comment", "kind")
        )
    if _is_ellipsis(pattern) and isinstance(node, list):
        bodies.append(node)
        return True
    if isinstance(pattern, list):
        return (
            isinstance(node, list)
            and len(pattern) == len(node)
            and all(_same(a, b, bodies) for a, b in zip(pattern, node, strict=True))
        )
    return type(pattern) is type(node) and pattern == node


def _filled(node: ast.AST, bodies: list[list[ast.stmt]]) -> ast.AST:
    """`node` with the first of `bodies` in place of each ``...``."""
    for part in ast.walk(node):
        if bodies and _is_ellipsis(getattr(part, "body", None)):
            part.body = copy.deepcopy(bodies[0])  # type: ignore[attr-defined]
    return node


def _nearest(scope: ast.AST, node: str, path: str) -> str:
    """The line of `scope` most similar to `node`, with its file and number."""
    lines: dict[str, int] = {}
    for part in ast.walk(scope):
        if isinstance(part, ast.stmt | ast.expr):
            lines.setdefault(ast.unparse(part).splitlines()[0], part.lineno)
    wanted = ast.unparse(ast.Module(sources.parsed(textwrap.dedent(node)).body, []))
    wanted = wanted.splitlines()[0]
    close = difflib.get_close_matches(wanted, lines, n=1, cutoff=0.0)
    if not close:
        return "none"
    return f"{_relative(path)}:{lines[close[0]]}: {close[0]}"


class _Loader(sources.Loader):
    """Finds and loads one module from changed code."""

    def __init__(self, module: str, path: str, code: CodeType):
        super().__init__(module, path, sources.SOURCES)
        self.code = code

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> CodeType:
        return self.code


def _below(name: str, roots: tuple[str, ...]) -> bool:
    """Whether the module `name` is one of `roots`, or lies in one."""
    return any(name == root or name.startswith(f"{root}.") for root in roots)


@contextmanager
def _planted(bug: PlantedBug, *also: str) -> Iterator[None]:
    code, path = mutated(bug)
    loader = _Loader(bug.module, path, code)
    roots = (*FRESH, bug.module, *also)
    replaced = {name: sys.modules.pop(name) for name in list(sys.modules) if _below(name, roots)}
    sys.meta_path.insert(0, loader)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(loader)  # type: ignore[arg-type]
        for name in list(sys.modules):
            if _below(name, roots):
                del sys.modules[name]
        sys.modules.update(replaced)


def build_under(bug: PlantedBug | None, factory: Callable, *args: Any, **kwargs: Any) -> Any:
    """``factory(*args, **kwargs)``, with the bug planted if one is given.

    Raises ValueError when the bug's node does not occur exactly once in its function, and when a
    module is loaded that `sources` does not find. Must not run in two threads at once: the table
    of modules belongs to the interpreter.
    """
    if bug is None:
        return factory(*args, **kwargs)
    # Pickled by name and unpickled inside, the factory, its configuration and every enum in it
    # come from the reloaded modules.
    call = pickle.dumps((factory, args, kwargs))
    with _planted(bug, factory.__module__):
        factory, args, kwargs = pickle.loads(call)
        model = factory(*args, **kwargs)
        _check_reached(factory.__module__, bug)
        return model


def _check_reached(harness: str, bug: PlantedBug) -> None:
    """Every reloaded module must be among those in the digest that caches the model."""
    reached = sources.SOURCES.reached(harness, bug.module)
    for name, module in list(sys.modules.items()):
        path = Path(getattr(module, "__file__", None) or "")
        if _below(name, FRESH) and sources.SOURCES.ours(path) and path not in reached:
            raise ValueError(f"{harness} loads {name}, which its sources do not import")
