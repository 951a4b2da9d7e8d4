"""Planted bugs: one node of a module's syntax tree replaced, for one elaboration, in memory.

The design carries no code for bugs. A bug names a module, a function in it, a node of that
function, and what to put in the node's place; the model of a task is then built over freshly loaded
modules, among them the changed one, and the task must fail.
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
from typing import Any

from tools import sources

#: Packages loaded afresh under a planted bug; what changed reaches whoever imported it.
FRESH = ("spec", "design", "golden", "properties", "formal.harness")


@dataclass(frozen=True)
class PlantedBug:
    """The bug `name`: in `function` of `module`, `node` becomes `replacement`.

    `function` is a dotted path such as ``Class.method``, empty for the module itself. `node` is an
    expression or a statement of which there is exactly one within it, however it is laid out; a
    body ``...`` stands for any, and is kept where `replacement` has one, too. A `replacement` may
    be several statements, or none. `written_at` is where the bug is written down.
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
    """The line of a table that is being made, past the functions of ours that it calls for it."""
    at = frame = sys._getframe(3)  # behind the __init__ that dataclass wrote
    while frame is not None and sources.SOURCES.ours(Path(frame.f_code.co_filename)):
        if frame.f_code.co_name == "<module>":
            at = frame
            break
        frame = frame.f_back  # type: ignore[assignment]
    return f"{_place(at.f_code.co_filename)}:{at.f_lineno}"


def _place(path: str) -> Path:
    """From the root of the repository, where it lies there."""
    ours = sources.SOURCES.ours(Path(path))
    return Path(path).relative_to(sources.ROOT) if ours else Path(path)


def mutated(bug: PlantedBug) -> tuple[CodeType, str]:
    """The code of the module with the bug in it, and the path of its source.

    Raises ValueError unless the node stands exactly once in the function, which says where the bug
    is written, and the nearest place that there is.
    """
    spec = importlib.util.find_spec(bug.module)
    if spec is None or spec.origin is None:
        raise ValueError(f"planted bug {bug.name!r} ({bug.written_at}): no module {bug.module}")
    tree = sources.parsed(sources.SOURCES.content(Path(spec.origin)))
    scope = _function(tree, bug.function)
    pattern, replacement = _parsed(bug.node), _parsed(bug.replacement)
    if len(pattern) != 1:
        raise ValueError(f"planted bug {bug.name!r} ({bug.written_at}): its node is not one node")
    planter = _Planter(pattern[0], replacement)
    if scope is not None:
        planter.visit(scope)
    if len(planter.lines) != 1:
        where = f"{bug.module}.{bug.function}" if bug.function else bug.module
        lines = ", ".join(map(str, planter.lines))
        found = f"is at lines {lines}" if lines else "is not there"
        nearest = "" if lines else f"; nearest: {_nearest(scope or tree, bug.node, spec.origin)}"
        raise ValueError(
            f"planted bug {bug.name!r} ({bug.written_at}): its node {found} in {where}{nearest}"
        )
    code = compile(ast.fix_missing_locations(tree), spec.origin, "exec", dont_inherit=True)
    return code, spec.origin


def _function(tree: ast.Module, path: str) -> ast.AST | None:
    scope: ast.AST | None = tree
    for name in path.split(".") if path else ():
        kinds = (ast.FunctionDef, ast.ClassDef)
        inside = (each for each in ast.walk(scope) if isinstance(each, kinds)) if scope else ()
        scope = next((each for each in inside if each.name == name), None)
    return scope


def _parsed(text: str) -> list[ast.AST]:
    """The statements of `text`; where it is an expression, that alone."""
    statements = sources.parsed(textwrap.dedent(text)).body
    if len(statements) == 1 and isinstance(statements[0], ast.Expr):
        return [statements[0].value]
    return list(statements)


class _Planter(ast.NodeTransformer):
    """Replaces what is as `pattern` by `replacement`, and remembers at which `lines`."""

    def __init__(self, pattern: ast.AST, replacement: list[ast.AST]):
        self.pattern = pattern
        self.replacement = replacement
        self.lines: list[int] = []

    def visit(self, node: ast.AST) -> Any:
        # A call, say, that stands alone may become several statements.
        matched = node.value if isinstance(node, ast.Expr) else node
        bodies: list[list[ast.stmt]] = []
        if not _same(self.pattern, matched, bodies):
            return self.generic_visit(node)
        self.lines.append(matched.lineno)  # type: ignore[attr-defined]
        new = [_filled(copy.deepcopy(each), bodies) for each in self.replacement]
        if isinstance(node, ast.expr):
            return new[0]
        statements = [ast.Expr(each) if isinstance(each, ast.expr) else each for each in new]
        return statements or [ast.Pass()]


def _any(body: object) -> bool:
    """Whether it is the body ``...``."""
    return (
        isinstance(body, list)
        and len(body) == 1
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and body[0].value.value is ...
    )


def _same(pattern: object, node: object, bodies: list[list[ast.stmt]]) -> bool:
    """Whether `node` is as `pattern`; gathers the bodies that stand where it has ``...``."""
    if isinstance(pattern, ast.AST):
        if type(pattern) is not type(node):
            return False
        return all(
            _same(getattr(pattern, name, None), getattr(node, name, None), bodies)
            for name in pattern._fields
            if name not in ("ctx", "type_comment", "kind")
        )
    if _any(pattern) and isinstance(node, list):
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
    for each in ast.walk(node):
        if bodies and _any(getattr(each, "body", None)):
            each.body = copy.deepcopy(bodies[0])  # type: ignore[attr-defined]
    return node


def _nearest(scope: ast.AST, node: str, path: str) -> str:
    """The line in `scope` that is most like `node`, with its place."""
    lines: dict[str, int] = {}
    for each in ast.walk(scope):
        if isinstance(each, ast.stmt | ast.expr):
            lines.setdefault(ast.unparse(each).splitlines()[0], each.lineno)
    wanted = ast.unparse(ast.Module(sources.parsed(textwrap.dedent(node)).body, []))
    wanted = wanted.splitlines()[0]
    close = difflib.get_close_matches(wanted, lines, n=1, cutoff=0.0)
    if not close:
        return "none"
    return f"{_place(path)}:{lines[close[0]]}: {close[0]}"


class _Loader(sources.Loader):
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


@contextmanager
def _planted(bug: PlantedBug, *also: str) -> Iterator[None]:
    code, path = mutated(bug)
    loader = _Loader(bug.module, path, code)
    roots = (*FRESH, bug.module, *also)
    aside = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if any(name == root or name.startswith(f"{root}.") for root in roots)
    }
    sys.meta_path.insert(0, loader)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(loader)  # type: ignore[arg-type]
        for name in list(sys.modules):
            if any(name == root or name.startswith(f"{root}.") for root in roots):
                del sys.modules[name]
        sys.modules.update(aside)


def build_under(bug: PlantedBug | None, factory: Callable, *args: Any, **kwargs: Any) -> Any:
    """``factory(*args, **kwargs)``, with the bug planted if there is one.

    Raises ValueError when the bug's node does not stand exactly once in its function, and when
    modules are loaded that `sources` does not find. Not to be called from two threads at once: the
    table of modules is the interpreter's.
    """
    if bug is None:
        return factory(*args, **kwargs)
    # Pickled by name and loaded again inside, the factory, its configuration and every enum in it
    # are those of the fresh modules.
    call = pickle.dumps((factory, args, kwargs))
    with _planted(bug, factory.__module__):
        factory, args, kwargs = pickle.loads(call)
        model = factory(*args, **kwargs)
        _check_reached(factory.__module__, bug)
        return model


def _check_reached(harness: str, bug: PlantedBug) -> None:
    """What was loaded afresh must be what `sources` found, under which the model is remembered."""
    known = sources.SOURCES
    reached = known.reached(harness, bug.module)
    for name, module in list(sys.modules.items()):
        fresh = any(name == root or name.startswith(f"{root}.") for root in FRESH)
        path = Path(getattr(module, "__file__", None) or "")
        if fresh and known.ours(path) and path not in reached:
            raise ValueError(f"{harness} loads {name}, which no import of its sources names")
