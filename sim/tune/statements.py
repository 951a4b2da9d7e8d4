"""Parses the body of CXXRTL's eval() into statements with the names that they read and write.

The text is very regular: every statement begins at one tab, and its lines have few forms. If
anything is not recognised, :func:`parse` returns None, and the text is left as it is.
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
# Other lines: brackets, the tests around them, and temporary values.
_OTHER = re.compile(
    r"^\t*(?:(?:\} else )?\{|\}|if ?\([^;]*\) \{|CXXRTL_ASSERT\([^;]*\);"
    r"|(?:auto |value<\d+> |const value<\d+> &)?tmp_\d+ = [^;]*;)$"
)


@dataclass(eq=False)
class Statement:
    """Lines at one tab, whose order is kept.

    `clocked`: writes registers and memories at the clock edge; otherwise it computes signals.
    `guard`: the condition of an `if` around the lines. `single`: it was one assignment, which reads
    all operands before it writes. `loop`: the elements of an array that it writes; they have one
    copy. `group`: the number of its group if it is gated, see `sim.tune.gating`.
    """

    lines: list[str]
    clocked: bool
    writes: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    guard: str | None = None
    single: bool = False
    loop: str = ""
    group: int | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def assignment(self) -> tuple[str, str] | None:
        """Register and value, if it assigns one."""
        match = _NEXT.match(self.text) if self.single else None
        return (match[1], match[2]) if match else None


@dataclass
class Source:
    """A generated file with eval() parsed. Widths are in bits."""

    head: str
    statements: list[Statement]
    tail: str
    local: dict[str, int]
    """Local signals of eval()."""
    registers: dict[str, int]
    ports: set[str]
    """Ports, which the driver sets and reads between eval() and commit()."""
    inputs: dict[str, int]
    elements: dict[str, str] = field(default_factory=dict)
    """The element of an array that a register becomes."""
    arrays: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Width and number of the elements of each array."""
    groups: int = 0
    """Number of gated groups."""
    activates: dict[str, set[int]] = field(default_factory=dict)
    """The groups that a register, memory or input activates when it changes."""

    @property
    def computed(self) -> set[str]:
        """The signals, which are not stored."""
        return {name for part in self.statements if not part.clocked for name in part.writes}


def parse(text: str) -> Source | None:
    """The parsed file, or None if eval() has an unknown form."""
    begin, end = text.find(_HEAD), text.rfind(_TAIL)
    if begin < 0 or end < begin:
        return None
    lines = text[begin + len(_HEAD) : end].splitlines()
    local = {match[2]: int(match[1]) for line in lines if (match := _LOCAL.match(line))}
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
    """The lines of each statement; lines that use an `auto` variable belong to its statement."""
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
        if (match := _NEXT.match(line)) or (match := _WRITE.match(line)):
            if not clocked:
                return None
            statement.writes.add(match[1])
            read = match[2]
        elif match := _COMB.match(line):
            if clocked:
                return None
            statement.writes.update(NAME.findall(match[1]))
            read = match[2]
        elif not _OTHER.match(line):
            return None
        if ".next" in read:
            return None
        statement.reads.update(NAME.findall(read))
    return statement


def _is_regular(source: Source) -> bool:
    """Whether every signal and register has one writer, and signals are computed before use.

    Only registers are read as `.curr`.
    """
    computed = source.computed
    written: set[str] = set()
    for statement in source.statements:
        if statement.reads & computed - written:
            return False
        for name in statement.writes:
            if name.startswith("memory_"):
                continue
            if name in written or (name in source.registers) != statement.clocked:
                return False
        written |= statement.writes
        for name, suffix in re.findall(rf"\b({SIGNAL})(\.curr|\.next)?\b", statement.text):
            if (name in source.registers) != bool(suffix):
                return False
    return True
