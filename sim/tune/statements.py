"""The body of CXXRTL's eval() as statements that know what they read and write.

The text is very regular: one statement begins at one tab, and its lines have few shapes. Whatever
is not recognised makes :func:`parse` give up, and the text stays in its order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SIGNAL = r"[pi]_\w+"
_HEAD = "\nbool p_top::eval(performer *performer) {\n"
_TAIL = "\treturn converged;\n}\n"
_CLOCKED = "\tif (posedge_p_clk) {"
_PREAMBLE = ("\tbool converged = true;", "\tbool posedge_p_clk = this->posedge_p_clk();")
_LOCAL = re.compile(rf"^\tvalue<(\d+)> ({SIGNAL});$")
_MEMBER = re.compile(rf"^\t(/\*\w+\*/ )?(value|wire)<(\d+)> ({SIGNAL});$", re.MULTILINE)
NAME = re.compile(rf"\b(?:memory_)?{SIGNAL}")
_PART = rf"(?:value<\d+>\(\)|{SIGNAL})"
_COMB = re.compile(rf"^\t*({_PART}(?:\.concat\({_PART}\))*) = ([^;]*);$")
_NEXT = re.compile(rf"^\t*({SIGNAL})\.next = ([^;]*);$")
_WRITE = re.compile(r"^\t*(memory_\w+)\.update\(([^;]*)\);$")
# What else a line may be: brackets, the tests around them, and values that live in between.
_OTHER = re.compile(
    r"^\t*(?:(?:\} else )?\{|\}|if ?\([^;]*\) \{|CXXRTL_ASSERT\([^;]*\);"
    r"|(?:auto |value<\d+> |const value<\d+> &)?tmp_\d+ = [^;]*;)$"
)


@dataclass(eq=False)
class Statement:
    """Some lines at one tab, of which the order among themselves is kept.

    `clocked`: it happens at the clock edge, to the registers and memories in `writes`; otherwise
    it computes the signals in `writes`. `guard`: a condition without which nothing happens; the
    lines stand inside it.
    """

    lines: list[str]
    clocked: bool
    writes: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    guard: str | None = None
    single: bool = False
    """Whether it was one assignment: all that it reads is read before it writes."""
    group: int | None = None
    """What it sleeps with, if it does while nothing changes that it reads."""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass
class Source:
    """A generated file, eval() taken apart. Widths are in bits."""

    head: str
    statements: list[Statement]
    tail: str
    local: dict[str, int]
    """Signals that only eval() knows."""
    registers: dict[str, int]
    ports: set[str]
    """What the driver sets and reads between eval() and commit()."""
    inputs: dict[str, int]
    guards: list[str | None] = field(default_factory=list)
    """Of each group that sleeps, the guard of its statements."""
    wakes: dict[str, int] = field(default_factory=dict)
    """The groups, as bits, that a register, memory or input wakes when it changes."""


def parse(text: str) -> Source | None:
    """Take eval() apart, or None when there is anything in it that we do not know."""
    begin, end = text.find(_HEAD), text.rfind(_TAIL)
    if begin < 0 or end < begin:
        return None
    lines = text[begin + len(_HEAD) : end].splitlines()
    local = {found[2]: int(found[1]) for line in lines if (found := _LOCAL.match(line))}
    members = _MEMBER.findall(text[:begin])
    source = Source(
        head=text[:begin],
        statements=[],
        tail=text[end + len(_TAIL) :],
        local=local,
        registers={name: int(bits) for _, kind, bits, name in members if kind == "wire"},
        ports={name for comment, _, _, name in members if comment},
        inputs={name: int(bits) for comment, _, bits, name in members if "input" in comment},
    )
    for group in _groups(line for line in lines if not _LOCAL.match(line)):
        statement = _statement(group)
        if statement is None:
            return None
        source.statements.append(statement)
    return source if _is_regular(source) else None


def _groups(lines: Iterator[str]) -> Iterator[list[str]]:
    """The lines of each statement; users of an `auto` belong to it."""
    group: list[str] = []
    temporary = ""
    for line in lines:
        if not line.strip() or line.lstrip().startswith("//") or line in _PREAMBLE:
            continue
        begins = line.startswith("\t") and line[1:2] not in ("\t", "}")
        if begins and group and not (temporary and re.search(rf"\b{temporary}\b", line)):
            yield group
            group, temporary = [], ""
        if line.startswith("\tauto "):
            temporary = line.split()[1]
        group.append(line)
    if group:
        yield group


def _statement(lines: list[str]) -> Statement | None:
    clocked = lines[0] == _CLOCKED and lines[-1] == "\t}"
    if clocked:
        lines = [line[1:] for line in lines[1:-1]]
    statement = Statement(lines, clocked, single=len(lines) == 1)
    for line in lines:
        read = line
        if (found := _NEXT.match(line)) or (found := _WRITE.match(line)):
            if not clocked:
                return None
            statement.writes.add(found[1])
            read = found[2]
        elif found := _COMB.match(line):
            if clocked:
                return None
            statement.writes.update(NAME.findall(found[1]))
            read = found[2]
        elif not _OTHER.match(line):
            return None
        if ".next" in read:
            return None
        statement.reads.update(NAME.findall(read))
    return statement


def _is_regular(source: Source) -> bool:
    """Signals and registers have one writer each; what is computed is computed before it is read.

    Registers are read as `.curr` and nothing else is.
    """
    written: set[str] = set()
    computed = set().union(*(each.writes for each in source.statements if not each.clocked))
    for statement in source.statements:
        if statement.reads & computed - written and not statement.clocked:
            return False
        for name in statement.writes:
            if name in written and not name.startswith("memory_"):
                return False
            if not name.startswith("memory_") and (name in source.registers) != statement.clocked:
                return False
            written.add(name)
        for found in re.finditer(rf"\b({SIGNAL})(\.curr|\.next)?\b", statement.text):
            if (found[1] in source.registers) != bool(found[2]):
                return False
    # A clocked statement in the middle may not read what is computed behind it.
    seen: set[str] = set()
    for statement in source.statements:
        if statement.clocked and statement.reads & computed - seen:
            return False
        seen |= statement.writes
    return True
