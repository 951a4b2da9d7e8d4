"""What a model claims, supposes and witnesses, and which signals each statement is about."""

from collections.abc import Sequence
from pathlib import Path

from amaranth.hdl import Fragment, Signal

from formal.harness.inside import assignments, parts
from formal.model import Model
from properties.dialect import Statement, Theorem
from tools.sources import ROOT


def statements(model: Model) -> list[Statement]:
    """All of them: each theorem's in the order of its source."""
    return [each for theorem in _theorems(model) for each in theorem.statements]


def signals(model: Model, about: Sequence[Statement]) -> list[str]:
    """The names of the signals that `about` is about: in a condition, or what the theorem's own
    signals in it are made of."""
    driven: dict[int, list[Signal]] = {}
    for part in parts(Fragment.get(model.theorem, None)):
        for each in assignments(part):
            for signal in each._lhs_signals():
                driven.setdefault(id(signal), []).extend(each._rhs_signals())
    names: dict[str, None] = {}
    for statement in about:
        for signal in statement.condition._rhs_signals():
            for one in (signal, *driven.get(id(signal), ())):
                names.setdefault(one.name)
    return list(names)


def place(statement: Statement) -> str:
    """Where it stands, from the root of the repository."""
    path, line = Path(statement.where[0]), statement.where[1]
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}"


def _theorems(model: Model) -> list[Theorem]:
    """Those of the model, elaborated by now."""
    found = []
    for part in parts(Fragment.get(model, None)):
        found += [each for each in part.origins or () if isinstance(each, Theorem)]
    return found
