"""The planted bugs: each must be seen by a proof and by the fuzzing, or it stands here why not."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from formal.planted import COUNTERS, PLANTED
from formal.tasks import TASKS
from mutate.cases import FUZZ, Case
from mutate.pool import Change
from tools.planting import PlantedBug, planted_tree
from tools.sources import ROOT, SOURCES, parsed

#: Why the fuzzing cannot see a bug, by the name of its case. Red if it does.
UNSEEN: dict[str, str] = {}


def caught_by() -> dict[PlantedBug, str]:
    """Every planted bug, with the proof that must catch it; the tests see to it that it does.
    Empty for the counters, which only measure: no theorem speaks of them, each comparison does."""
    bugs: dict[PlantedBug, str] = {}
    for task in TASKS:
        bugs.setdefault(task.bug, task.id)
    for planted in PLANTED:
        bugs.setdefault(planted.bug, planted.caught_by)
    return bugs | dict.fromkeys(COUNTERS, "")


def cases() -> list[Case]:
    """Every planted bug as a case, named by its proof and by what it does."""
    return [_case(bug, task) for bug, task in caught_by().items()]


def _case(bug: PlantedBug, task: str) -> Case:
    tree, path, line = planted_tree(bug)
    relative = str(Path(path).relative_to(ROOT))
    statement = _statement(SOURCES.content(Path(path)), line)
    change = Change(
        before=bug.node,
        after=bug.replacement,
        line=line,
        column=1,
        end_line=line,
        end_column=1,
        statement=statement,
        content=ast.unparse(tree).encode() + b"\n",
    )
    return Case(f"{task or 'counters'}: {bug.name}", relative, change)


def _statement(content: bytes, line: int) -> tuple[int, int]:
    """The first and last line of the narrowest statement that a line is in."""
    around = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(parsed(content))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda lines: (lines[0], -lines[1]))


def table(judged: Sequence[Case]) -> Table:
    """Who sees each of the bugs."""
    shown = Table(title="Who sees the planted bugs", title_justify="left")
    for column in ("proof: planted bug", "fuzzing", "cycle"):
        shown.add_column(column, overflow="fold")
    for case in judged:
        kill = case.kills[0] if case.kills else None
        seen = kill.detector if kill else UNSEEN.get(case.name, "NOT SEEN")
        cycle = str(kill.cycle) if kill and kill.cycle is not None else ""
        shown.add_row(case.name, seen, cycle)
    return shown


def wrong(judged: Sequence[Case]) -> Iterator[str]:
    """A sentence for each bug that fuzzing misses, or sees against what stands here."""
    for case in judged:
        seen = any(kill.detector in ("elaboration", *FUZZ) for kill in case.kills)
        if case.undecided and not seen:
            yield f"RED: {case.name}: {case.undecided[0]}"
        elif not seen and case.name not in UNSEEN:
            yield f"RED: {case.name}: the fuzzing does not see it"
        elif seen and case.name in UNSEEN:
            yield f"RED: {case.name}: seen, against its entry in mutate/planted.py"
