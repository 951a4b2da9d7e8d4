"""Guards: conditions around statements, which skip unnecessary work.

`x.next = (c ? value : x.curr)` becomes `if (c) x.next = value`, which is correct because both
copies of a register are equal between two evaluations. Statements with the same condition share one
test, and values used only by them are computed inside it.
"""

import re
from collections.abc import Callable

from sim.tune.statements import NAME, SIGNAL, Source, Statement

_ASSIGN = re.compile(rf"^\t({SIGNAL})\.next = (.*);$")
_COMPUTED = re.compile(rf"^\t({SIGNAL}) = (.*);$")
_WRITE = re.compile(r"^\t*memory_\w+\.update\((.*)\);$")
_NAME = re.compile(rf"\b{SIGNAL}(?:\.curr)?")
_JOINED = re.compile(r"(?:slice<[\d,]+>|repeat<\d+>|val|concat|[.() ])*")
#: Longest statement, in characters, and most uses of a value that is inlined into branches.
LONGEST, MOST = 600, 2


def add_guards(source: Source) -> None:
    """Set the guard of statements that may do nothing."""
    for statement in source.statements:
        if not statement.clocked:
            continue
        lines = statement.lines
        if statement.single and (match := _ASSIGN.match(lines[0])):
            name, value = match.groups()

            def write(value: str, tabs: str, name: str = name) -> str:
                return f"{tabs}{name}.next = {value};"

            take_guard(statement, assign(value, f"{name}.curr", write, "\t"))
        elif statement.writes and all(name.startswith("memory_") for name in statement.writes):
            update = next(match for line in lines if (match := _WRITE.match(line)))
            statement.guard = _enabled(arguments(update[1])[2].strip())
        elif lines[0].startswith("\tauto tmp_") and _is_one_if(lines[1:]):
            # A read port with enable: nothing else uses the address.
            statement.guard = _condition(lines[1])
            statement.lines = [lines[0], *(line[1:] for line in lines[2:-1])]


def inline(source: Source) -> None:
    """Inline values that are used only in branches."""
    users: dict[str, list[Statement]] = {}
    inlined: set[Statement] = set()
    for statement in reversed(source.statements):
        match = _COMPUTED.match(statement.text)
        if match and match[1] in source.local and len(statement.text) <= LONGEST:
            name, value = match.groups()
            readers = users.get(name, [])
            uses = sum(len(_uses(name, reader.text)) for reader in readers)
            if uses <= MOST and all(_in_branches(reader, name, statement) for reader in readers):
                inlined.add(statement)
                value = f"value<{source.local[name]}>({value})"
                for reader in readers:
                    reader.lines = [re.sub(rf"\b{name}\b", value, line) for line in reader.lines]
                    reader.reads = reader.reads - {name} | statement.reads
                    for operand in statement.reads:
                        users.setdefault(operand, []).append(reader)
                continue
        for name in statement.reads:
            users.setdefault(name, []).append(statement)
    source.statements = [statement for statement in source.statements if statement not in inlined]


def _in_branches(reader: Statement, name: str, computes: Statement) -> bool:
    """Whether `reader` uses `name` only in branches, and can compute it there."""
    # With several lanes, one lane may change an operand of the next.
    if len(reader.writes) > 1 and reader.writes & computes.reads:
        return False
    if reader.guard is not None:
        return not _mentions(reader.guard, {name})
    return all(line.startswith("\t\t") for line in reader.lines if _uses(name, line))


def _uses(name: str, text: str) -> list[str]:
    return re.findall(rf"\b{name}\b", text)


def propagate_guards(source: Source) -> None:
    """Copy the guard to signals that are used only by statements with that guard."""
    users: dict[str, list[Statement]] = {}
    for statement in reversed(source.statements):
        if not statement.clocked and not statement.writes & source.ports:
            guards = {user.guard for name in statement.writes for user in users.get(name, ())}
            guard = guards.pop() if len(guards) == 1 else None
            if guard is not None and not _mentions(guard, statement.writes):
                statement.guard = guard
                statement.reads.update(NAME.findall(guard))
        for name in statement.reads:
            users.setdefault(name, []).append(statement)


def take_guard(statement: Statement, lines: list[str]) -> None:
    """Set the lines of `statement`; an `if` around all of them becomes its guard."""
    if _is_one_if(lines):
        statement.guard = _condition(lines[0])
        statement.lines = [line[1:] for line in lines[1:-1]]
    else:
        statement.lines = lines


def _is_one_if(lines: list[str]) -> bool:
    first, inside = "".join(lines[:1]), lines[1:-1]
    return first.startswith("\tif (") and not any(line.startswith("\t}") for line in inside)


def _condition(line: str) -> str:
    return line.removeprefix("\tif (").removesuffix(") {")


def assign(
    value: str,
    keep: str,
    write: Callable[[str, str], str],
    tabs: str,
    splits: Callable[[str, bool], bool] = lambda condition, saves: saves,
) -> list[str]:
    """Lines that `write` a `value`; none where it equals `keep`, the present value.

    A ternary operator becomes an `if` where `splits(condition, saves)`; `saves`: some branch may
    write nothing.
    """
    if value == keep:
        return []
    parts = _ternary(value)
    if parts is None or not splits(parts[0], _may_keep(value, keep)):
        return [write(value, tabs)]
    condition, then, other = parts
    yes = assign(then, keep, write, tabs + "\t", splits)
    no = assign(other, keep, write, tabs + "\t", splits)
    if yes and no:
        return [f"{tabs}if ({condition}) {{", *yes, f"{tabs}}} else {{", *no, f"{tabs}}}"]
    if no:
        return [f"{tabs}if (!bool({condition})) {{", *no, f"{tabs}}}"]
    return [f"{tabs}if ({condition}) {{", *yes, f"{tabs}}}"]


def _may_keep(value: str, keep: str) -> bool:
    if value == keep:
        return True
    parts = _ternary(value)
    return parts is not None and any(_may_keep(part, keep) for part in parts[1:])


def _ternary(text: str) -> tuple[str, str, str] | None:
    """The parts of `(condition ? then : other)`, or None for anything else."""
    if not text.startswith("(") or not text.endswith(")"):
        return None
    depth, marks = 0, {"?": -1, ":": -1}
    for n, character in enumerate(text):
        depth += (character in "({[") - (character in ")}]")
        if depth == 0 and n != len(text) - 1:
            return None
        if depth == 1 and character in marks:
            if marks[character] >= 0 or text[n - 1] != " " or text[n + 1] != " ":
                return None
            marks[character] = n
    question, colon = marks["?"], marks[":"]
    if not 0 < question < colon:
        return None
    return text[1 : question - 1], text[question + 2 : colon - 1], text[colon + 2 : -1]


def _enabled(mask: str) -> str:
    """Whether any bit of a write mask is set."""
    names = sorted(set(_NAME.findall(mask)))
    # A mask that only repeats and concatenates bits of signals is zero when the signals are.
    if names and _JOINED.fullmatch(_NAME.sub("", mask)):
        return " || ".join(f"bool({name})" for name in names)
    return f"bool({mask})"


def arguments(text: str) -> list[str]:
    """Split at the commas outside all brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "(<{[") - (character in ")>}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def merge(source: Source) -> None:
    """Join neighbours with the same tests."""
    merged: list[Statement] = []
    for statement in source.statements:
        last = merged[-1] if merged else None
        tests = (statement.guard, statement.group)
        if last is not None and statement.guard is not None and tests == (last.guard, last.group):
            # The guard's operands are unchanged: readers are ordered before the writer.
            last.lines += statement.lines
            last.writes |= statement.writes
            last.reads |= statement.reads
        else:
            merged.append(statement)
    source.statements = merged


def _mentions(guard: str, names: set[str]) -> bool:
    return any(_uses(name, guard) for name in names)
