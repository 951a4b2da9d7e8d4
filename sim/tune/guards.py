"""Guards: conditions around statements, which skip unnecessary work.

`x.next = (c ? value : x.curr)` becomes `if (c) x.next = value`, which is correct because both
copies of a register are equal between two evaluations. Values used only by statements with the same
condition are computed inside it.
"""

import re
from collections.abc import Callable

from sim.tune.statements import NAME, SIGNAL, Source, Statement
from sim.tune.text import split, ternary

_WRITE = re.compile(r"^\t*memory_\w+\.update\((.*)\);$", re.MULTILINE)
_NAME = re.compile(rf"\b{SIGNAL}(?:\.curr)?")
_JOINED = re.compile(r"(?:slice<[\d,]+>|repeat<\d+>|val|concat|[.() ])*")


def add_guards(source: Source) -> None:
    """Set the guard of statements that may do nothing."""
    for statement in source.statements:
        if statement.assignment:
            name, value = statement.assignment
            set_lines(statement, assign(value, f"{name}.curr", f"{name}.next = {{}};".format))
        elif len(updates := _WRITE.findall(statement.text)) == 1:
            statement.guard = _enabled(split(updates[0], ", ")[2])
        elif statement.clocked and statement.lines[0].startswith("\tauto tmp_"):
            # A read port with enable: nothing else uses the address.
            address, *lines = statement.lines
            set_lines(statement, lines)
            statement.lines.insert(0, address)


def _enabled(mask: str) -> str:
    """Whether any bit of a write mask is set."""
    names = sorted(set(_NAME.findall(mask)))
    # A mask that only repeats and concatenates bits of signals is zero when the signals are.
    if names and _JOINED.fullmatch(_NAME.sub("", mask)):
        return " || ".join(f"bool({name})" for name in names)
    return f"bool({mask})"


def set_lines(statement: Statement, lines: list[str]) -> None:
    """Set the lines of `statement`; an `if` around all of them becomes its guard."""
    first, inner = "".join(lines[:1]), lines[1:-1]
    if first.startswith("\tif (") and not any(line.startswith("\t}") for line in inner):
        statement.guard = first.removeprefix("\tif (").removesuffix(") {")
        lines = [line[1:] for line in inner]
    statement.lines = lines


def assign(
    value: str,
    keep: str,
    write: Callable[[str], str],
    tabs: str = "\t",
    splits: Callable[[str, bool], bool] = lambda condition, saves: saves,
) -> list[str]:
    """Lines that `write` a `value`; none where it equals `keep`, the present value.

    A ternary operator becomes an `if` where `splits(condition, saves)`; `saves`: some branch may
    write nothing.
    """
    if value == keep:
        return []
    parts = ternary(value)
    if parts is None or not splits(parts[0], _may_keep(value, keep)):
        return [tabs + write(value)]
    condition, *values = parts
    yes, no = (assign(branch, keep, write, tabs + "\t", splits) for branch in values)
    if not yes:
        return [f"{tabs}if (!bool({condition})) {{", *no, f"{tabs}}}"]
    other = [f"{tabs}}} else {{", *no] if no else []
    return [f"{tabs}if ({condition}) {{", *yes, *other, f"{tabs}}}"]


def _may_keep(value: str, keep: str) -> bool:
    parts = ternary(value)
    return value == keep or any(_may_keep(part, keep) for part in (parts or ())[1:])


def propagate_guards(source: Source) -> None:
    """Copy the guard to signals that are used only by statements with that guard.

    A signal that is gated needs the same group as they, which the operands of the guard activate.
    """
    users: dict[str, list[Statement]] = {}
    for statement in reversed(source.statements):
        if not statement.clocked and not statement.writes & source.ports:
            readers = [reader for name in statement.writes for reader in users.get(name, ())]
            guards = {reader.guard for reader in readers}
            guard = guards.pop() if len(guards) == 1 else None
            groups = {None, *(reader.group for reader in readers)}
            same = statement.group is None or groups == {None, statement.group}
            operands = set(NAME.findall(guard or ""))
            if guard and same and not statement.writes & operands:
                statement.guard = guard
                statement.reads |= operands
        for name in statement.reads:
            users.setdefault(name, []).append(statement)
