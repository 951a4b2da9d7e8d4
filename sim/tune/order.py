"""Orders statements so that registers can be written in place.

CXXRTL keeps two copies of each register, computes the next values in any order, and copies them all
at the end. Instead, a register is overwritten after all reads of its old value: then one copy is
enough, and nothing is committed. In a cycle of registers that read one another, one keeps its
second copy.

The order is built from its end: each statement is placed as late as possible before its users, so
that most intermediate values are local to one function.
"""

import re
from collections.abc import Container

from sim.tune.statements import Source, Statement


def order(source: Source, single: Container[str] = ()) -> set[str] | None:
    """Order the statements of `source`; returns the names that keep their second copy.

    Statements that write the other names are rewritten to write in place. None if a name of
    `single`, which can have only one copy, would need a second.
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

    before: dict[Statement, set[Statement]] = {statement: set() for statement in statements}
    after: dict[Statement, set[Statement]] = {statement: set() for statement in statements}

    def link(first: Statement, second: Statement) -> None:
        before[second].add(first)
        after[first].add(second)

    kept: set[str] = set()
    in_place: set[Statement] = set()
    for statement in statements:
        if not statement.clocked:
            for name in statement.writes:
                for reader in readers.get(name, ()):
                    link(statement, reader)
        elif _can_be_in_place(source, statement, writers):
            in_place.add(statement)
            for name in statement.writes:
                for reader in readers.get(name, ()):
                    if reader is not statement:
                        link(reader, statement)
        elif any(name in single for name in statement.writes):
            return None
        else:
            kept |= statement.writes

    waiting = {statement: len(after[statement]) for statement in statements}
    ready = [statement for statement in statements if not waiting[statement]]
    result: list[Statement] = []
    remaining = set(statements)

    def release(statement: Statement) -> None:
        waiting[statement] -= 1
        if not waiting[statement]:
            ready.append(statement)

    last: Statement | None = None

    def benefit(statement: Statement) -> tuple[float, int]:
        """Released statements per word of the second copy."""
        released = len(before[statement] & remaining)
        return released / _words(source, statement), -position[statement]

    while remaining:
        while ready:
            statement = ready.pop(_next_to(last, ready))
            last = statement
            result.append(statement)
            remaining.discard(statement)
            for earlier in sorted(before[statement], key=position.__getitem__):
                release(earlier)
        if not remaining:
            break
        # A cycle: give a second copy to the statement that releases most of its readers.
        candidates = [
            statement
            for statement in in_place & remaining
            if not any(name in single for name in statement.writes)
        ]
        if not candidates:
            return None
        keeper = max(candidates, key=benefit)
        in_place.discard(keeper)
        kept |= keeper.writes
        readers_only = [reader for reader in before[keeper] if not _computes_for(reader, keeper)]
        for reader in sorted(readers_only, key=position.__getitem__):
            before[keeper].discard(reader)
            after[reader].discard(keeper)
            if reader in remaining:
                release(reader)

    source.statements = result[::-1]
    for statement in in_place:
        statement.lines = [_in_place(line) for line in statement.lines]
    return kept


def _next_to(last: Statement | None, ready: list[Statement]) -> int:
    """The index in `ready` of the best statement to place before `last`.

    Prefers one with the same tests. A new gated group starts only when no ungated statement is
    ready, so that many of its statements are ready by then.
    """
    newest_first = list(reversed(range(len(ready))))
    if last is not None and last.guard is not None:
        for n in newest_first:
            if (ready[n].guard, ready[n].group) == (last.guard, last.group):
                return n
    by_group: dict[int | None, list[int]] = {}
    for n in newest_first:
        by_group.setdefault(ready[n].group, []).append(n)
    if last is not None and last.group in by_group:
        return by_group[last.group][0]
    if None in by_group:
        return by_group[None][0]
    return max(by_group.values(), key=len)[0]


def _computes_for(first: Statement, second: Statement) -> bool:
    return not first.clocked and bool(first.writes & second.reads)


def _words(source: Source, statement: Statement) -> int:
    """Words of a second copy."""
    return sum(1 + source.registers.get(name, 64) // 64 for name in statement.writes)


def _can_be_in_place(
    source: Source, statement: Statement, writers: dict[str, list[Statement]]
) -> bool:
    """Whether the statement may overwrite its targets immediately."""
    if statement.writes & source.ports:
        return False
    for name in statement.writes:
        if name.startswith("memory_"):
            # Several ports of a memory have priorities, which only the queue of writes respects.
            if len(writers[name]) > 1 or statement.text.count(name) > 1:
                return False
        elif name in statement.reads and not statement.single:
            return False
    return True


def _in_place(line: str) -> str:
    line = re.sub(r"(\w+)\.next = ", r"\1.curr = ", line)
    return re.sub(r"\b(memory_\w+)\.update\((.*), \d+\);", r"vd_write(\1, \2);", line)
