"""Orders statements so that registers can be written in place.

CXXRTL keeps two copies of each register, computes the next values in any order, and copies them all
at the end. Instead, a register is overwritten after all reads of its old value: then one copy is
enough, and nothing is committed. In a cycle of registers that read one another, one keeps its
second copy.

The order is built from its end: each statement is placed as late as possible before its users, so
that most intermediate values are local to one function.
"""

import re

from sim.tune.statements import Source, Statement


def order(source: Source, *, neighbours: bool = True) -> set[str] | None:
    """Order the statements of `source`; returns the names that keep their second copy.

    Statements that write the other names are rewritten to write in place. None if a loop, whose
    arrays have only one copy, would need a second. `neighbours`: prefer an order in which
    statements of the same group and guard follow one another.
    """
    statements = source.statements
    position = {statement: number for number, statement in enumerate(statements)}
    readers: dict[str, list[Statement]] = {}
    writers: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.reads:
            readers.setdefault(name, []).append(statement)
        for name in statement.writes:
            writers.setdefault(name, []).append(statement)
    # What must come before a statement, and how many that come after it are not yet placed.
    before: dict[Statement, set[Statement]] = {statement: set() for statement in statements}
    in_place: set[Statement] = set()
    for statement in statements:
        reading = {reader for name in statement.writes for reader in readers.get(name, ())}
        if not statement.clocked:
            for reader in reading:
                before[reader].add(statement)
        elif _can_be_in_place(source, statement, writers):
            in_place.add(statement)
            before[statement] |= reading - {statement}
    waiting = dict.fromkeys(statements, 0)
    for earlier in before.values():
        for statement in earlier:
            waiting[statement] += 1
    ready = [statement for statement in statements if not waiting[statement]]
    remaining = dict.fromkeys(statements)
    result: list[Statement] = []

    def release(earlier: set[Statement]) -> None:
        for statement in sorted(earlier, key=position.__getitem__):
            waiting[statement] -= 1
            if not waiting[statement]:
                ready.append(statement)

    while remaining:
        if ready:
            statement = ready.pop(_next_to(result[-1], ready) if result and neighbours else -1)
            result.append(statement)
            del remaining[statement]
            release(before[statement])
            continue
        # A cycle: give a second copy to the statement that releases most of its readers.
        keeper = max(
            (statement for statement in remaining if statement in in_place and not statement.loop),
            key=lambda statement: len(before[statement] & remaining.keys()),
            default=None,
        )
        if keeper is None:
            return None
        in_place.discard(keeper)
        only_read = {part for part in before[keeper] if not _computes_for(part, keeper)}
        before[keeper] -= only_read
        release(only_read & remaining.keys())
    source.statements = result[::-1]
    for statement in in_place:
        statement.lines = [_in_place(line) for line in statement.lines]
    copied = [part for part in statements if part.clocked and part not in in_place]
    if any(statement.loop for statement in copied):
        return None
    return {name for statement in copied for name in statement.writes}


def _next_to(last: Statement, ready: list[Statement]) -> int:
    """The best statement to place before `last`: of its group, with its guard, or the newest."""

    def likeness(n: int) -> tuple[bool, bool, int]:
        same = ready[n].group == last.group
        return same, same and ready[n].guard == last.guard is not None, n

    return max(range(len(ready)), key=likeness)


def _computes_for(first: Statement, second: Statement) -> bool:
    return not first.clocked and bool(first.writes & second.reads)


def _can_be_in_place(
    source: Source, statement: Statement, writers: dict[str, list[Statement]]
) -> bool:
    """Whether the statement may overwrite its targets immediately."""
    for name in statement.writes:
        if name.startswith("memory_"):
            # Several ports of a memory have priorities, which only the queue of writes respects.
            if len(writers[name]) > 1 or statement.text.count(name) > 1:
                return False
        elif name in source.ports or (name in statement.reads and not statement.single):
            return False
    return True


def _in_place(line: str) -> str:
    line = re.sub(r"(\w+)\.next = ", r"\1.curr = ", line)
    return re.sub(r"\b(memory_\w+)\.update\((.*), \d+\);", r"vd_write(\1, \2);", line)
