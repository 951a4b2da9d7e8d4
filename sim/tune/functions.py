"""Writes the statements back as several functions.

CXXRTL writes one function for the whole design, and compile time is quadratic in its length.
"""

import re
from collections import Counter
from itertools import groupby

from sim.tune import gating
from sim.tune.expressions import shorten
from sim.tune.lanes import Arrays
from sim.tune.statements import SIGNAL, Source, Statement

#: Characters of generated code in one function.
CHUNK = 80_000

_DECLARATION = "\tbool eval(performer *performer = nullptr) override;\n"
_RESET = "\nCXXRTL_EXTREMELY_COLD void p_top::reset() {\n"
_WORD = re.compile(rf"\b{SIGNAL}")
_COMMIT = re.compile(r"^\t*if \((\w+)\.commit\(observer\)\) changed = true;\n", re.MULTILINE)


def write(source: Source, kept: set[str], arrays: Arrays) -> str | None:
    """The file; names in `kept` have a second copy, which commit() copies to the first.

    None if a register that became an element of an array is used somewhere else.
    """
    by_group = groupby(source.statements, key=lambda statement: statement.group)
    blocks = [list(statements) for _, statements in by_group]
    chunks = [gating.begin(source)]
    for block in blocks:
        group = block[0].group
        opens, closes = ("", "") if group is None else (gating.opens(source, group), "\t}\n")
        chunks[-1] += opens
        for statement in block:
            if len(chunks[-1]) > CHUNK:
                chunks[-1] += closes
                chunks.append(opens)
            held = group is not None and source.guards[group] is not None
            chunks[-1] += f"{statement.text}\n" if held else _guarded(statement)
        chunks[-1] += closes

    chunks = [arrays.rewrite(shorten(chunk)) for chunk in chunks]
    used = [set(_WORD.findall(chunk)) for chunk in chunks]
    # A local used by two functions becomes a member; so does one whose value must survive while
    # its writer is gated.
    uses = Counter(name for words in used for name in words)
    shared = _outlive_gating(blocks) | {name for name, count in uses.items() if count > 1}
    functions, members = [], []
    for number, (chunk, words) in enumerate(zip(chunks, used, strict=True)):
        names = [name for name in source.local if name in words - shared]
        local = "".join(f"\tvalue<{source.local[name]}> {name};\n" for name in names)
        functions.append(
            f"__attribute__((noinline)) void p_top::eval_{number}() {{\n{local}{chunk}}}\n"
        )
        members.append(f"\tvoid eval_{number}();\n")
    for name, bits in source.local.items():
        # With debug information, a local may have the name and value of an existing member.
        member = f"\tvalue<{bits}> {name};\n"
        if name in shared and f"/*outline*/ {member.strip()}" not in source.head:
            members.append(member)

    def commit(match: re.Match[str]) -> str:
        name = match[1]
        if name not in kept:
            return ""
        return match[0] if name.startswith("memory_") else f"\t\t{name}.curr = {name}.next;\n"

    head = arrays.rewrite(_COMMIT.sub(commit, source.head))
    members += [arrays.declarations(), gating.declarations(source)]
    head = head.replace(_DECLARATION, _DECLARATION + "".join(members))
    head = head.replace(_RESET, _RESET + gating.reset(source))
    calls = "".join(f"\teval_{number}();\n" for number in range(len(chunks))) + gating.end(source)
    body = f"\nbool p_top::eval(performer *performer) {{\n{calls}\treturn true;\n}}\n"
    text = head + "\n" + "".join(functions) + body + source.tail
    return None if arrays.place.keys() & set(_WORD.findall(text)) else text


def _guarded(statement: Statement) -> str:
    if statement.guard is None:
        return f"{statement.text}\n"
    return f"\tif ({statement.guard}) {{\n{statement.text}\n\t}}\n"


def _outlive_gating(blocks: list[list[Statement]]) -> set[str]:
    """Signals that a gated block computes and another block uses."""
    writer = {
        name: number
        for number, block in enumerate(blocks)
        for statement in block
        if statement.group is not None and not statement.clocked
        for name in statement.writes
    }
    return {
        name
        for number, block in enumerate(blocks)
        for statement in block
        for name in statement.reads
        if writer.get(name, number) != number
    }
