"""Writes the statements back as several functions.

CXXRTL writes one function for the whole design, and compile time is quadratic in its length.
"""

import re
from collections import Counter
from itertools import groupby

from sim.tune import gating
from sim.tune.statements import SIGNAL, Source, Statement

#: Characters of generated code in one function.
CHUNK = 80_000

_DECLARATION = "\tbool eval(performer *performer = nullptr) override;\n"
_RESET = "\nCXXRTL_EXTREMELY_COLD void p_top::reset() {\n"
_WORD = re.compile(rf"\b{SIGNAL}")
_USE = re.compile(rf"\b({SIGNAL})(\.curr(?: =(?!=))?)?")
#: Of a part of a value, which `native.h` repeats without a branch.
_REPEAT = (".val().repeat<", ".repeat<")
_MEMBER = re.compile(rf"^\twire<\d+> ({SIGNAL});\n", re.MULTILINE)
_COMMIT = re.compile(r"^\t*if \((\w+)\.commit\(observer\)\) changed = true;\n", re.MULTILINE)


def write(source: Source, kept: set[str]) -> str:
    """The file; names in `kept` have a second copy, which commit() copies to the first."""
    by_group = groupby(source.statements, key=lambda statement: statement.group)
    blocks = [list(statements) for _, statements in by_group]
    chunks = [gating.begin(source)]
    for block in blocks:
        opens = gating.opens(block[0])
        closes = "\t}\n" if opens else ""
        chunks[-1] += opens
        for statement in block:
            if len(chunks[-1]) > CHUNK:
                chunks[-1] += closes
                chunks.append(opens)
            chunks[-1] += _guarded(statement)
        chunks[-1] += closes

    used = [set(_WORD.findall(chunk)) for chunk in chunks]
    # A local used by two functions becomes a member; so does one whose writer is gated.
    uses = Counter(name for words in used for name in words)
    shared = {name for name, count in uses.items() if count > 1}
    shared.update(*(part.writes for part in source.statements if part.group is not None))
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
    for name, (bits, size) in source.arrays.items():
        members.append(f"\talignas(64) vd_element<{bits}> {name}[{size}];\n")
    end = reset = ""
    if source.groups:
        members.append(gating.declarations(source))
        end, reset = gating.END, gating.RESET

    def declaration(match: re.Match[str]) -> str:
        return "" if match[1] in source.elements else match[0]

    def commit(match: re.Match[str]) -> str:
        name = match[1]
        if name not in kept:
            return ""
        return match[0] if name.startswith("memory_") else f"\t\t{name}.curr = {name}.next;\n"

    head = _COMMIT.sub(commit, _MEMBER.sub(declaration, source.head))
    head = head.replace(_DECLARATION, _DECLARATION + "".join(members))
    head = head.replace(_RESET, _RESET + reset)
    calls = "".join(f"\teval_{number}();\n" for number in range(len(chunks))) + end
    body = f"\nbool p_top::eval(performer *performer) {{\n{calls}\treturn true;\n}}\n"
    text = head + "\n" + "".join(functions).replace(*_REPEAT) + body + source.tail
    return _USE.sub(lambda match: _element(source, match), text)


def _element(source: Source, use: re.Match[str]) -> str:
    """The element of an array, if the register has become one."""
    if use[1] not in source.elements:
        return use[0]
    return source.elements[use[1]] + {None: "", ".curr =": " =", ".curr": "()"}[use[2]]


def _guarded(statement: Statement) -> str:
    if statement.guard is None:
        return f"{statement.text}\n"
    return f"\tif ({statement.guard}) {{\n{statement.text}\n\t}}\n"
