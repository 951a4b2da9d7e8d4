"""Orders statements so that registers can be written in place.

CXXRTL keeps two copies of each register, computes the next one in any order, and copies them all
at the end. Instead, a register is overwritten as soon as everything that reads its old value is
through: then there is one copy and nothing to commit. Registers that read one another in a circle
cannot all be last; where it has to, one of them keeps its second copy.

The order is built from its end: each statement comes as close as it can before those that need
it, so that most intermediate values live and die in one function.
"""

import re
from collections.abc import Container

from sim.tune.statements import Source, Statement


def order(source: Source, single: Container[str] = ()) -> set[str] | None:
    """Put the statements of `source` in order; returns what keeps its second copy.

    The others are written in place: their statements are rewritten to do so. None if that would be
    one of `single`, which can have one copy only.
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

    before: dict[Statement, set[Statement]] = {each: set() for each in statements}
    after: dict[Statement, set[Statement]] = {each: set() for each in statements}

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

    waiting = {each: len(after[each]) for each in statements}
    ready = [each for each in statements if not waiting[each]]
    result: list[Statement] = []
    left = set(statements)

    def release(each: Statement) -> None:
        waiting[each] -= 1
        if not waiting[each]:
            ready.append(each)

    last: Statement | None = None
    while left:
        while ready:
            statement = ready.pop(_next_to(last, ready))
            last = statement
            result.append(statement)
            left.discard(statement)
            for each in sorted(before[statement], key=position.__getitem__):
                release(each)
        if not left:
            break
        # A circle: the one that most wait for gets its second copy back, and nobody waits for it.
        circle = [each for each in in_place & left if not any(n in single for n in each.writes)]
        if not circle:
            return None
        keeper = max(
            circle,
            key=lambda each: (len(before[each] & left) / _words(source, each), -position[each]),
        )
        in_place.discard(keeper)
        kept |= keeper.writes
        readers_only = [each for each in before[keeper] if not _computes_for(each, keeper)]
        for reader in sorted(readers_only, key=position.__getitem__):
            before[keeper].discard(reader)
            after[reader].discard(keeper)
            if reader in left:
                release(reader)

    source.statements = result[::-1]
    for statement in in_place:
        statement.lines = [_in_place(line) for line in statement.lines]
    return kept


def _next_to(last: Statement | None, ready: list[Statement]) -> int:
    """Which of those that are `ready` best stands before `last`.

    One with its tests, if any. A group of sleepers waits until nothing else is left, so that much
    of it is ready when its turn comes.
    """
    newest_first = list(reversed(range(len(ready))))
    if last is not None and last.guard is not None:
        for n in newest_first:
            if (ready[n].guard, ready[n].group) == (last.guard, last.group):
                return n
    of_group: dict[int | None, list[int]] = {}
    for n in newest_first:
        of_group.setdefault(ready[n].group, []).append(n)
    if last is not None and last.group in of_group:
        return of_group[last.group][0]
    if None in of_group:
        return of_group[None][0]
    return max(of_group.values(), key=len)[0]


def _computes_for(first: Statement, second: Statement) -> bool:
    return not first.clocked and bool(first.writes & second.reads)


def _words(source: Source, statement: Statement) -> int:
    """What a second copy costs."""
    return sum(1 + source.registers.get(name, 64) // 64 for name in statement.writes)


def _can_be_in_place(
    source: Source, statement: Statement, writers: dict[str, list[Statement]]
) -> bool:
    """Whether overwriting what it writes at once would not disturb the statement itself."""
    if statement.writes & source.ports:
        return False
    for name in statement.writes:
        if name.startswith("memory_"):
            # Ports of one memory have priorities, which the queue of writes knows.
            if len(writers[name]) > 1 or statement.text.count(name) > 1:
                return False
        elif name in statement.reads and not statement.single:
            return False
    return True


def _in_place(line: str) -> str:
    line = re.sub(r"(\w+)\.next = ", r"\1.curr = ", line)
    return re.sub(r"\b(memory_\w+)\.update\((.*), \d+\);", r"vd_write(\1, \2);", line)
