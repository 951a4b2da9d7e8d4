"""The claims, suppositions and witnesses of a model, and their signals."""

import functools
from collections.abc import Sequence
from pathlib import Path

from amaranth.hdl import Fragment, Signal

from formal.harness.inside import assignments, parts
from formal.model import Model
from formal.runner import Result
from formal.tasks.configs import PROOF_CONFIGS
from properties.dialect import Statement, Theorem
from tools.sources import ROOT


def statements(model: Model) -> list[Statement]:
    """All statements, those of each theorem in source order."""
    return [statement for theorem, _ in _theorems(model) for statement in theorem.statements]


def violated(result: Result) -> list[Statement]:
    """The claims that the runs of a red property name, in source order."""
    runs = (result.proof, result.confirmation)
    named = {name for run in runs if run and run.status != "PASS" for name in run.named}
    config = PROOF_CONFIGS.get(result.config)
    if result.status == "PASS" or not named or config is None:
        return []
    model = result.task.harness(config, **result.task.arguments)
    return [one for one in statements(model) if one.kind == "assert" and one.name in named]


def signals(model: Model, about: Sequence[Statement]) -> list[str]:
    """The names of the signals in the conditions of `about`, and of the operands of those signals
    that the theorem itself assigns."""
    operands: dict[int, list[Signal]] = {}
    of_theorems = (part for _, fragment in _theorems(model) for part in parts(fragment))
    for assignment in (assignment for part in of_theorems for assignment in assignments(part)):
        for signal in assignment._lhs_signals():
            operands.setdefault(id(signal), []).extend(assignment._rhs_signals())
    names: dict[str, None] = {}
    for statement in about:
        for signal in statement.condition._rhs_signals():
            for involved in (signal, *operands.get(id(signal), ())):
                names.setdefault(involved.name)
    return list(names)


def place(statement: Statement) -> str:
    """File and line of a statement, relative to the root of the repository."""
    path, line = Path(statement.where[0]), statement.where[1]
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}"


@functools.lru_cache(maxsize=1)
def _theorems(model: Model) -> list[tuple[Theorem, Fragment]]:
    """The theorems of the model, elaborated. Kept, because what has memories of its own, like the
    theorem of `kv.naive`, can be elaborated only once."""
    return [
        (origin, part)
        for part in parts(Fragment.get(model, None))
        for origin in part.origins or ()
        if isinstance(origin, Theorem)
    ]
