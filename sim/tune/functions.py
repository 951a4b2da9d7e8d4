"""Writes the statements back as functions of bearable length.

CXXRTL writes one function for the whole design, and compilers take time quadratic in its length.
"""

import re

from sim.tune.lanes import Arrays
from sim.tune.statements import SIGNAL, Source

#: Characters of generated code in one function.
CHUNK = 12_000

_DECLARATION = "\tbool eval(performer *performer = nullptr) override;\n"
_WORD = re.compile(rf"\b{SIGNAL}")
_COMMIT = re.compile(r"^\t*if \((\w+)\.commit\(observer\)\) changed = true;\n", re.MULTILINE)


def write(source: Source, kept: set[str], arrays: Arrays) -> str | None:
    """The file; `kept` still has a second copy, which commit() makes the first one.

    None if a register that became an element of an array is needed somewhere else.
    """
    chunks: list[str] = [""]
    for statement in source.statements:
        if len(chunks[-1]) > CHUNK:
            chunks.append("")
        if statement.guard is None:
            chunks[-1] += statement.text + "\n"
        else:
            chunks[-1] += f"\tif ({statement.guard}) {{\n{statement.text}\n\t}}\n"

    chunks = [arrays.rewrite(chunk) for chunk in chunks]
    used = [set(_WORD.findall(chunk)) for chunk in chunks]
    in_chunks: dict[str, list[int]] = {}
    for number, words in enumerate(used):
        for name in words:
            in_chunks.setdefault(name, []).append(number)
    functions, members = [], []
    for number, (chunk, words) in enumerate(zip(chunks, used, strict=True)):
        # A local that two functions use becomes a member.
        mine = [name for name in source.local if name in words and len(in_chunks[name]) == 1]
        local = "".join(f"\tvalue<{source.local[name]}> {name};\n" for name in mine)
        functions.append(
            f"__attribute__((noinline)) void p_top::eval_{number}() {{\n{local}{chunk}}}\n"
        )
        members.append(f"\tvoid eval_{number}();\n")
    for name, bits in source.local.items():
        # With debug information a local can shadow a member of its name and value, which will do.
        member = f"\tvalue<{bits}> {name};\n"
        if len(in_chunks.get(name, ())) > 1 and f"/*outline*/ {member.strip()}" not in source.head:
            members.append(member)

    def commit(found: re.Match[str]) -> str:
        name = found[1]
        if name not in kept:
            return ""
        return found[0] if name.startswith("memory_") else f"\t\t{name}.curr = {name}.next;\n"

    head = arrays.rewrite(_COMMIT.sub(commit, source.head))
    head = head.replace(_DECLARATION, _DECLARATION + "".join(members) + arrays.declarations())
    calls = "".join(f"\teval_{number}();\n" for number in range(len(chunks)))
    body = f"\nbool p_top::eval(performer *performer) {{\n{calls}\treturn true;\n}}\n"
    text = head + "\n" + "".join(functions) + body + source.tail
    return None if arrays.place.keys() & set(_WORD.findall(text)) else text
