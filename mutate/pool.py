"""The pool: every mutant of the mutated rooms, under a name that stays while its function does."""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mutate.operators import OPERATORS, Branches, Replacement, branches
from tools.errors import BadInput
from tools.sources import ROOT, SOURCES, parsed

#: The rooms that are mutated. What golden and RTL share, they get wrong together.
ROOMS = ("spec", "design", "golden")


@dataclass(frozen=True, order=True)
class Mutant:
    """Mutant number `which` of an `operator` in a `function` of the file `path`.

    `function` is a dotted path, empty for what stands outside of all; `which` counts from 0 within
    function and operator.
    """

    path: str
    function: str
    operator: str
    which: int

    @property
    def name(self) -> str:
        """Unique in the pool, and stable."""
        return f"{self.path}:{self.function or '-'}:{self.operator}:{self.which}"

    @property
    def module(self) -> str:
        """The dotted name of the mutated module."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@dataclass(frozen=True)
class Change:
    """What a mutant changes.

    `before` becomes `after` at `line` and `column` (from 1), up to `end_line` and `end_column`.
    `statement` is the first and last line of the statement around it, without its body. `content`
    is the whole changed file.
    """

    before: str
    after: str
    line: int
    column: int
    end_line: int
    end_column: int
    statement: tuple[int, int]
    content: bytes


@dataclass(frozen=True)
class _Place:
    """A node that may be mutated, the function that it is in, and the lines of its statement."""

    function: str
    node: ast.AST
    statement: tuple[int, int]


class _Walk(ast.NodeVisitor):
    """Collects the places of a module, in the order of the source."""

    def __init__(self) -> None:
        self.places: list[_Place] = []
        self._path: list[str] = []
        self._statement = (1, 1)

    def visit(self, node: ast.AST) -> None:
        """Collect `node` and what is below it, but nothing that is only said: docstrings,
        messages, annotations, imports."""
        if _is_said(node):
            return
        if isinstance(node, ast.stmt):
            self._statement = _lines(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            self._path.append(node.name)
            self._add_branches(node.body)
            for part in node.body:
                self.visit(part)
            self._path.pop()
            return
        self._add(node, self._statement)
        if isinstance(node, ast.With | ast.For | ast.If | ast.Module):
            self._add_branches(node.body)
        if isinstance(node, ast.AnnAssign):
            if node.value:
                self.visit(node.value)
        else:
            self.generic_visit(node)

    def _add(self, node: ast.AST, statement: tuple[int, int]) -> None:
        self.places.append(_Place(".".join(self._path), node, statement))

    def _add_branches(self, statements: list[ast.stmt]) -> None:
        for pair in branches(statements):
            self._add(pair, _lines(pair.body[0]))


def _is_said(node: ast.AST) -> bool:
    kinds = ast.JoinedStr | ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.arguments
    text = node.value if isinstance(node, ast.Expr) else node
    return isinstance(node, kinds) or (
        isinstance(text, ast.Constant) and isinstance(text.value, str)
    )


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """The first and last line of a statement, without its body."""
    body = getattr(statement, "body", None)
    end = statement.end_lineno or statement.lineno
    return statement.lineno, body[0].lineno - 1 if body else end


def _mutations(tree: ast.Module, path: str) -> Iterator[tuple[Mutant, _Place, Replacement]]:
    """All mutants of a module, each with its place and what stands there instead."""
    walk = _Walk()
    walk.visit(tree)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for place in walk.places:
        same = _dump(place.node)
        for operator, replacements in OPERATORS.items():
            for replacement in replacements(place.node):
                if _dump(replacement) == same or _is_type(place):
                    continue
                which = counts[place.function, operator]
                counts[place.function, operator] += 1
                yield Mutant(path, place.function, operator, which), place, replacement


def _dump(node: ast.AST | list[ast.stmt]) -> str:
    parts = node if isinstance(node, list) else node.body if isinstance(node, Branches) else [node]
    return "\n".join(ast.dump(part) for part in parts)


def _is_type(place: _Place) -> bool:
    """Whether it changes a union of types outside of all functions: an annotation with a name."""
    node = place.node
    return not place.function and isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def _content(path: str) -> bytes:
    return SOURCES.content(ROOT / path)


def mutants(path: str) -> list[Mutant]:
    """All mutants of a file of the repository, in the order of the source."""
    return [mutant for mutant, _, _ in _mutations(parsed(_content(path)), path)]


def pool(rooms: Sequence[str] = ROOMS) -> list[Mutant]:
    """All mutants of `rooms`, in the order of files and places."""
    paths = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return [mutant for path in paths for mutant in mutants(str(path.relative_to(ROOT)))]


def sample(mutants: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """`size` of `mutants`, drawn with `seed`, one of every file and operator before a second."""
    source, strata = random.Random(seed), defaultdict(list)
    for mutant in sorted(mutants):
        strata[mutant.path, mutant.operator].append(mutant)
    queues = [strata[key] for key in sorted(strata)]
    for queue in queues:
        source.shuffle(queue)
    source.shuffle(queues)
    drawn: list[Mutant] = []
    while len(drawn) < min(size, len(mutants)):
        for queue in queues:
            if queue and len(drawn) < size:
                drawn.append(queue.pop())
    return sorted(drawn)


def named(name: str) -> Mutant:
    """The mutant of that name; raises BadInput if there is none."""
    path, _, rest = name.partition(":")
    inside = any(path.startswith(f"{room}/") for room in ROOMS) and ".." not in path
    if rest and inside and path.endswith(".py") and (ROOT / path).is_file():
        for mutant in mutants(path):
            if mutant.name == name:
                return mutant
    raise BadInput(f"mutant {name!r} is not in the pool; see `python -m mutate list`")


def change(mutant: Mutant) -> Change:
    """What `mutant` changes; raises BadInput if its file has no such mutant any more."""
    content = _content(mutant.path)
    for other, place, replacement in _mutations(parsed(content), mutant.path):
        if other == mutant:
            return _spliced(content, place, replacement)
    raise BadInput(f"mutant {mutant.name!r} is not in the pool; see `python -m mutate list`")


def _spliced(content: bytes, place: _Place, replacement: Replacement) -> Change:
    """The file with the node's text replaced, everything else as it was written."""
    node: ast.expr = place.node  # type: ignore[assignment]  # any node with a position
    assert node.end_lineno is not None and node.end_col_offset is not None
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    begin = starts[node.lineno - 1] + node.col_offset
    end = starts[node.end_lineno - 1] + node.end_col_offset
    after = _text(replacement, node.col_offset)
    return Change(
        before=content[begin:end].decode(),
        after=after,
        line=node.lineno,
        column=node.col_offset + 1,
        end_line=node.end_lineno,
        end_column=node.end_col_offset + 1,
        statement=place.statement,
        content=content[:begin] + after.encode() + content[end:],
    )


def _text(replacement: Replacement, indent: int) -> str:
    if isinstance(replacement, list):
        text = "\n".join(ast.unparse(ast.fix_missing_locations(part)) for part in replacement)
        return text.replace("\n", "\n" + " " * indent)
    if isinstance(replacement, ast.keyword):
        return f"{replacement.arg}={ast.unparse(replacement.value)}"
    text = ast.unparse(replacement)
    whole = ast.Constant | ast.Name | ast.Call | ast.Attribute | ast.Subscript | ast.ListComp
    return text if isinstance(replacement, whole) else f"({text})"


def in_changed(mutants: Sequence[Mutant], functions: Mapping[str, frozenset[str]]) -> list[Mutant]:
    """Those of `mutants` that are in one of the changed `functions` of their file."""
    return [mutant for mutant in mutants if mutant.function in functions.get(mutant.path, ())]
