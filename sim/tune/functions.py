"""Writes the statements back as functions of bearable length.

CXXRTL writes one function for the whole design, and compilers take time quadratic in its length.
"""

import re
from collections import Counter
from itertools import groupby

from sim.tune import sleep
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
    """The file; `kept` still has a second copy, which commit() makes the first one.

    None if a register that became an element of an array is needed somewhere else.
    """
    blocks = [list(same) for _, same in groupby(source.statements, key=lambda each: each.group)]
    chunks = [sleep.begin(source)]
    for block in blocks:
        group = block[0].group
        opens, closes = ("", "") if group is None else (sleep.opens(source, group), "\t}\n")
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
    # A local that two functions use becomes a member; so does what outlives its writer's sleep.
    uses = Counter(name for words in used for name in words)
    shared = _outlive_sleep(blocks) | {name for name, count in uses.items() if count > 1}
    functions, members = [], []
    for number, (chunk, words) in enumerate(zip(chunks, used, strict=True)):
        mine = [name for name in source.local if name in words - shared]
        local = "".join(f"\tvalue<{source.local[name]}> {name};\n" for name in mine)
        functions.append(
            f"__attribute__((noinline)) void p_top::eval_{number}() {{\n{local}{chunk}}}\n"
        )
        members.append(f"\tvoid eval_{number}();\n")
    for name, bits in source.local.items():
        # With debug information a local can shadow a member of its name and value, which will do.
        member = f"\tvalue<{bits}> {name};\n"
        if name in shared and f"/*outline*/ {member.strip()}" not in source.head:
            members.append(member)

    def commit(found: re.Match[str]) -> str:
        name = found[1]
        if name not in kept:
            return ""
        return found[0] if name.startswith("memory_") else f"\t\t{name}.curr = {name}.next;\n"

    head = arrays.rewrite(_COMMIT.sub(commit, source.head))
    members += [arrays.declarations(), sleep.declarations(source)]
    head = head.replace(_DECLARATION, _DECLARATION + "".join(members))
    head = head.replace(_RESET, _RESET + sleep.reset(source))
    calls = "".join(f"\teval_{number}();\n" for number in range(len(chunks))) + sleep.end(source)
    body = f"\nbool p_top::eval(performer *performer) {{\n{calls}\treturn true;\n}}\n"
    text = head + "\n" + "".join(functions) + body + source.tail
    return None if arrays.place.keys() & set(_WORD.findall(text)) else text


def _guarded(statement: Statement) -> str:
    if statement.guard is None:
        return f"{statement.text}\n"
    return f"\tif ({statement.guard}) {{\n{statement.text}\n\t}}\n"


def _outlive_sleep(blocks: list[list[Statement]]) -> set[str]:
    """What one block of sleepers computes and another block uses."""
    home = {
        name: number
        for number, block in enumerate(blocks)
        for each in block
        if each.group is not None and not each.clocked
        for name in each.writes
    }
    return {
        name
        for number, block in enumerate(blocks)
        for each in block
        for name in each.reads
        if home.get(name, number) != number
    }
