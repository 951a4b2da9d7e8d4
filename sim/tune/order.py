"""Orders statements so that registers can be written in place.

CXXRTL keeps two copies of each register, computes the next values in any order, and copies them all
at the end. Instead, a register is overwritten after all reads of its old value: then one copy is
enough, and nothing is committed. In a cycle of registers that read one another, one keeps its
second copy.

The order is built from its end: each statement is placed as late as possible before its users, so
that most intermediate values are local to one function.
"""

import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter

from sim.tune.statements import Source, Statement


def order(source: Source, *, neighbours: bool = True) -> set[str] | None:
    """Order the statements of `source`; returns the names that keep their second copy.

    Statements that write the other names are rewritten to write in place. None if a loop, whose
    arrays have only one copy, would need a second. `neighbours`: prefer an order in which
    statements of the same group and guard follow one another.
    """
    readers: dict[str, list[Statement]] = {}
    writers = Counter(name for statement in source.statements for name in statement.writes)
    for statement in source.statements:
        for name in statement.reads:
            readers.setdefault(name, []).append(statement)
    clocked = [statement for statement in source.statements if statement.clocked]
    copied = [part for part in clocked if not _can_be_in_place(source, part, writers)]
    while not any(statement.loop for statement in copied):
        backwards = _backwards(source, readers, copied)
        try:
            backwards.prepare()
            break
        except CycleError as error:
            cycle = [part for part in error.args[1] if part.clocked and part not in copied]
            copied.append(min(cycle, key=lambda statement: bool(statement.loop)))
    else:
        return None
    ready: list[Statement] = []
    result: list[Statement] = []
    while backwards.is_active():
        ready += backwards.get_ready()
        statement = ready.pop(_next_to(result[-1], ready) if result and neighbours else -1)
        result.append(statement)
        backwards.done(statement)
    source.statements = result[::-1]
    for statement in clocked:
        if statement not in copied:
            statement.lines = [_in_place(line) for line in statement.lines]
    return {name for statement in copied for name in statement.writes}


def _backwards(
    source: Source, readers: dict[str, list[Statement]], copied: list[Statement]
) -> TopologicalSorter[Statement]:
    """The statements from the last to the first, if those in `copied` have a second copy."""
    sorter: TopologicalSorter[Statement] = TopologicalSorter()
    for statement in source.statements:
        reading = [reader for name in sorted(statement.writes) for reader in readers.get(name, ())]
        if not statement.clocked:
            sorter.add(statement, *reading)
            continue
        sorter.add(statement)
        for reader in reading:
            if statement not in copied and reader is not statement:
                sorter.add(reader, statement)
    return sorter


def _next_to(last: Statement, ready: list[Statement]) -> int:
    """The best statement to place before `last`: of its group, with its guard, or the newest."""

    def likeness(n: int) -> tuple[bool, bool, int]:
        same = ready[n].group == last.group
        return same, same and ready[n].guard == last.guard is not None, n

    return max(range(len(ready)), key=likeness)


def _can_be_in_place(source: Source, statement: Statement, writers: Counter[str]) -> bool:
    """Whether the statement may overwrite its targets immediately."""
    for name in statement.writes:
        if name.startswith("memory_"):
            # Several ports of a memory have priorities, which only the queue of writes respects.
            if writers[name] > 1 or statement.text.count(name) > 1:
                return False
        elif name in source.ports or (name in statement.reads and not statement.single):
            return False
    return True


def _in_place(line: str) -> str:
    line = re.sub(r"(\w+)\.next = ", r"\1.curr = ", line)
    return re.sub(r"\b(memory_\w+)\.update\((.*), \d+\);", r"vd_write(\1, \2);", line)
