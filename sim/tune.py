"""Rewrites the C++ that CXXRTL generates, so that it compiles in seconds and runs faster.

CXXRTL writes one function for the whole design, and compilers take time quadratic in its length.
Its text is very regular, one statement a line at one tab, so it can be cut by lines. Every rule
below checks the shape it relies on and leaves alone what it does not know.
"""

import re

#: Characters of generated code in one function.
CHUNK = 12_000

_COMMIT = re.compile(r"if \(([pi]_\w+)\.commit\(observer\)\) changed = true;")
_UPDATE = re.compile(r"^(\t*)(memory_\w+\.update)\((.*)\);$", re.MULTILINE)
_NAME = re.compile(r"\b[pi]_\w+(?:\.curr)?")
_JOINED = re.compile(r"(?:slice<[\d,]+>|repeat<\d+>|val|concat|[.() ])*")
_LOCAL = re.compile(r"^\tvalue<\d+> ([pi]_\w+);$")
_WORD = re.compile(r"\b[pi]_\w+")
_HEAD = "\nbool p_top::eval(performer *performer) {\n"
_TAIL = "\treturn converged;\n}\n"
_DECLARATION = "\tbool eval(performer *performer = nullptr) override;\n"


def tune(text: str, *, feedback: bool) -> str:
    """The generated source, rewritten; with `feedback` only what stays right in a loop."""
    # The longest function, run once: not worth any optimisation.
    text = text.replace("\nvoid p_top::reset()", "\nCXXRTL_EXTREMELY_COLD void p_top::reset()")
    text = _UPDATE.sub(_guarded, text)
    if feedback:
        return text
    # Who changed matters only to designs with feedback: copy every register.
    text = _COMMIT.sub(r"\1.curr = \1.next;", text)
    return _cut(text)


def _guarded(update: re.Match[str]) -> str:
    """A memory write that is skipped, with all the work it means, when nothing enables it."""
    tabs, function, arguments = update.groups()
    mask = _arguments(arguments)[2].strip()
    names = sorted(set(_NAME.findall(mask)))
    # A mask that only repeats and joins bits of signals is zero when these are.
    if names and _JOINED.fullmatch(_NAME.sub("", mask)):
        condition = " || ".join(f"bool({name})" for name in names)
    else:
        condition = f"bool({mask})"
    return f"{tabs}if ({condition}) {function}({arguments});"


def _arguments(text: str) -> list[str]:
    """Split at the commas outside all brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "(<{[") - (character in ")>}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _cut(text: str) -> str:
    """Cut eval() into functions; a local that two of them use becomes a member."""
    head, tail = text.find(_HEAD), text.rfind(_TAIL)
    if head < 0 or tail < 0 or text.count(_DECLARATION) != 1:
        return text
    lines = text[head + len(_HEAD) : tail].splitlines()
    local: dict[str, str] = {}
    chunks: list[list[str]] = [[]]
    size = 0
    awaited = ""  # a name declared by `auto`, whose users must stay in its function
    for line in lines:
        if declared := _LOCAL.match(line):
            local[declared[1]] = line
            continue
        if line.lstrip().startswith("//") or line.startswith(
            ("\tbool converged", "\tbool posedge")
        ):
            continue
        new = line.startswith("\t") and line[1:2] not in ("\t", "}", "")
        if line.startswith("\tauto "):
            awaited = line.split()[1]
        if new and size > CHUNK and not (awaited and re.search(rf"\b{awaited}\b", line)):
            chunks.append([])
            size = 0
        chunks[-1].append(line)
        size += len(line)
    used = [set(_WORD.findall("\n".join(chunk))) for chunk in chunks]
    members, functions, calls = [], [], []
    for number, (chunk, words) in enumerate(zip(chunks, used, strict=True)):
        others = set().union(*(each for n, each in enumerate(used) if n != number))
        mine = [local[name] for name in local if name in words and name not in others]
        body = "\n".join([*mine, *chunk])
        functions.append(
            f"__attribute__((noinline)) void p_top::eval_{number}() {{\n"
            f"\tconstexpr bool posedge_p_clk = true;\n{body}\n}}\n"
        )
        members.append(f"\tvoid eval_{number}();")
        calls.append(f"\teval_{number}();")
    for name, line in local.items():
        # With debug information a local can shadow a member of its name and value, which will do.
        member = f"/*outline*/ {line.strip()}"
        if sum(name in words for words in used) != 1 and member not in text:
            members.append(line)
    text = (
        text[:head]
        + "\n"
        + "".join(functions)
        + _HEAD
        + "\n".join(calls)
        + ("\n\treturn true;\n}\n" + text[tail + len(_TAIL) :])
    )
    return text.replace(_DECLARATION, _DECLARATION + "\n".join(members) + "\n")
