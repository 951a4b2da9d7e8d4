"""What a model claims, supposes and witnesses, with the sentences that stand in the source."""

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Fragment, Signal
from amaranth.hdl._ast import Assign, Property, Switch
from amaranth.hdl._ir import Fragment as AnyFragment

from formal.model import Model
from properties import dialect
from tools.sources import ROOT, parsed


@dataclass(frozen=True)
class Statement:
    """A statement of `kind` assert, assume or cover, and where its source stands.

    `sentence` is the comment above it, that above its entry where conditions come by name, or the
    docstring of the function that makes its condition; empty where there is none. `signals` are
    the names of those it is about: in the condition, or behind a name that it uses.
    """

    kind: str
    name: str
    sentence: str
    where: str
    signals: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentence, or in its place the name in words."""
        return self.sentence or self.name.replace("_", " ")


def statements(model: Model) -> list[Statement]:
    """All of them, in the order of the source."""
    fragment = Fragment.get(model, None)
    found = []
    for part in _parts(fragment):
        flat = list(_flatten(part))
        for each in flat:
            if isinstance(each, Property):
                name = "".join(map(str, each.message._chunks)) if each.message else ""
                path, line = each.src_loc
                found.append(
                    Statement(
                        kind=each.kind.value,
                        name=name,
                        sentence=_sentence(Path(path), line) or _entry(Path(path), name),
                        where=_where(Path(path), line),
                        signals=_signals(each, flat),
                    )
                )
    return found


def _parts(fragment: AnyFragment) -> Iterator[AnyFragment]:
    yield fragment
    for part, *_ in fragment.subfragments:
        yield from _parts(part)


def _flatten(fragment: AnyFragment) -> Iterator[Assign | Property]:
    def walk(statements: Iterable) -> Iterator[Assign | Property]:
        for each in statements:
            if isinstance(each, Switch):
                for _, inner, _ in each.cases:
                    yield from walk(inner)
            else:
                yield each

    for group in fragment.statements.values():
        yield from walk(group)


def _signals(claim: Property, flat: list[Assign | Property]) -> tuple[str, ...]:
    """What the condition reads, and what the theorem's own signals in it are made of."""
    driven: dict[int, list[Signal]] = {}
    for each in flat:
        if isinstance(each, Assign):
            for signal in each._lhs_signals():
                driven.setdefault(id(signal), []).extend(each._rhs_signals())
    names: dict[str, None] = {}
    for signal in claim.test._rhs_signals():
        for one in (signal, *driven.get(id(signal), ())):
            names.setdefault(one.name)
    return tuple(names)


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}"


@functools.cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


@functools.cache
def _sentence(path: Path, line: int) -> str:
    """The comment above line `line`, with other code but no blank line between, or a docstring."""
    lines = _lines(path)
    at = line - 1
    # Below a comment stand what its condition needs and then a statement, or several claims.
    ends = r"\.(suppose|witness|choose)\(|^(def|class|for) "
    while 0 < at <= len(lines):
        at -= 1
        text = lines[at].strip()
        if text.startswith("#"):
            return _comment_above(lines, at + 1)
        if not text or re.search(ends, text):
            break
    return _docstring(path, line)


def _docstring(path: Path, line: int) -> str:
    """Of the function that makes the condition: ``suppose("one_write", one_write(owner))``."""
    for node in ast.walk(parsed("\n".join(_lines(path)))):
        if isinstance(node, ast.Call) and node.lineno == line and len(node.args) == 2:
            condition = node.args[1]
            if isinstance(condition, ast.Call) and isinstance(condition.func, ast.Name):
                for module in list(sys.modules.values()):
                    if getattr(module, "__file__", None) == str(path):
                        function = getattr(module, condition.func.id, None)
                        if getattr(function, "__module__", "") != dialect.__name__:
                            return " ".join((getattr(function, "__doc__", "") or "").split())
    return ""


@functools.cache
def _entry(path: Path, name: str) -> str:
    """The comment right above ``"name":`` in a dictionary of conditions; a key may be computed.

    What a theorem supposes goes by a longer name where it was turned around (`Theorem.duties`).
    """
    lines = _lines(path)
    found: dict[int, int] = {}  # by the length of the key, the line
    for at, text in enumerate(lines):
        key = re.match(r'\s*(?:\*\*\{)?f?"([\w{}.]+)":', text)
        if key:
            pattern = re.sub(r"\{.*?\}", r"\\w+", key[1])
            if re.fullmatch(pattern, name):
                return _comment_above(lines, at)
            if re.fullmatch(rf"\w+_{pattern}", name):
                found.setdefault(len(key[1]), at)
    return _comment_above(lines, found[max(found)]) if found else ""


def _comment_above(lines: list[str], at: int) -> str:
    first = at
    while first > 0 and lines[first - 1].strip().startswith("#"):
        first -= 1
    return " ".join(part.strip().lstrip("# ") for part in lines[first:at])
