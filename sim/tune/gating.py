"""Activity gating: statements whose inputs have not changed are skipped.

Most of a decoder is idle most of the time: its softmax while a projection runs, its cache between
requests. A statement depends, through signals, on registers, memories and inputs: its sources.
After it has run, it need not run again until one of them changes. So statements form groups, each
with a bit in `vd_active`. A write that changes a source activates the groups of its readers in
`vd_activate`, which takes effect in the next cycle. The sources of a guard are sources of its
group, except for the guards in :data:`BUSY`: their groups stay active until the guard is true and
they have run, as recorded in `vd_ran`, so that the sources of the guard activate nothing.

A test costs time, and pays off only for parts that are idle much longer than active. This cannot
be derived from the text: :data:`MOSTLY_IDLE` lists them.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from sim.tune.statements import NAME, SIGNAL, Source, Statement
from spec.derived import ceil_div

_READ = re.compile(rf"\b(?:memory_)?{SIGNAL}\b(?!\.next|\.update)")
#: Components (or single registers) that are mostly idle. The list affects only the speed.
MOSTLY_IDLE = (
    "argmax", "attention", "buffer", "cache", "layer_sequencer", "queries", "reciprocals",
    "residual", "rmsnorm", "rope", "softmax", "token_sequencer", "array.sums_valid",
    "issue.needs_weights", "projection.done", "score.done", "value.done",
)  # fmt: skip
#: Guards that are true nearly always.
BUSY = ("array.en", "issue.next_t_en")
#: Fewest characters of text in a group.
SMALLEST = 300
#: Share of common sources with which two groups are merged.
ALIKE = 0.3


def _named(names: tuple[str, ...]) -> re.Pattern[str]:
    """Matches the CXXRTL names of `names` and of their contents."""
    escaped = "|".join(name.replace("_", "__").replace(".", "_2e_") for name in names)
    return re.compile(rf"^(?:memory_)?p_(?:\w+_2e_)?(?:{escaped})(?:_24_\d+)?(?:_2e_|\b)")


@dataclass
class _Group:
    """Statements that are gated together; `families` are the sources without lane numbers."""

    guard: str | None
    sources: set[str]
    families: set[str]
    statements: list[Statement] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(statement.text) for statement in self.statements)

    def is_like(self, other: "_Group") -> bool:
        common, union = self.families & other.families, self.families | other.families
        return self.guard == other.guard and len(common) >= ALIKE * len(union)


def add_gating(source: Source) -> None:
    """Set the `group` of gated statements, and the groups that each source `activates`."""
    computed = {
        name
        for statement in source.statements
        if not statement.clocked
        for name in statement.writes
    }
    groups = sorted(_groups(source), key=lambda group: -group.size)
    merged: list[_Group] = []
    for group in groups:
        similar = next((other for other in merged if group.is_like(other)), None)
        if similar is None:
            merged.append(group)
        else:
            similar.sources |= group.sources
            similar.families |= group.families
            similar.statements += group.statements
    for group in merged:
        if group.size < SMALLEST:
            continue
        number = len(source.guards)
        source.guards.append(group.guard)
        for statement in group.statements:
            statement.group = number
        for name in group.sources:
            assert name not in computed, f"no wake-up source for readers of {name}"
            source.activates[name] = source.activates.get(name, 0) | 1 << number


def _groups(source: Source) -> list[_Group]:
    """Statements whose sources are all mostly idle, grouped by guard and sources."""
    written = Counter(name for statement in source.statements for name in statement.writes)
    idle, busy = _named(MOSTLY_IDLE), _named(BUSY)
    inputs = {name for name, bits in source.inputs.items() if bits <= 64}
    sources_of: dict[str, set[str]] = {}
    groups: dict[tuple[str | None, frozenset[str]], _Group] = {}
    for statement in _computed_first(source):
        # Memories without a writer are constants, and so no sources.
        held = statement.guard is not None and busy.match(statement.guard)
        names = _data(statement) if held else statement.reads
        reads = {name for name in names if name in written or name in source.inputs}
        sources = set[str]().union(*(sources_of.get(name, {name}) for name in reads))
        if not statement.clocked:
            sources_of |= dict.fromkeys(statement.writes, sources)
        # If several statements write a name, all of them must run.
        if any(written[name] > 1 for name in statement.writes):
            continue
        if all(name in inputs or idle.match(name) for name in sources):
            families = {re.sub(r"\d+", "#", name) for name in sources}
            guard = statement.guard if held else None
            key = guard, frozenset(families)
            group = groups.setdefault(key, _Group(guard, set(), families))
            group.sources |= sources
            group.statements.append(statement)
    return list(groups.values())


def _computed_first(source: Source) -> list[Statement]:
    """Signals after their operands, guards included, and then the clocked statements."""
    clocked = [statement for statement in source.statements if statement.clocked]
    combinational = [statement for statement in source.statements if not statement.clocked]
    computes = {name: statement for statement in combinational for name in statement.writes}
    order: TopologicalSorter[Statement] = TopologicalSorter()
    for statement in combinational:
        operands = (computes[name] for name in sorted(statement.reads) if name in computes)
        order.add(statement, *operands)
    return [*order.static_order(), *clocked]


def _data(statement: Statement) -> set[str]:
    """The names that a statement reads if its guard is true."""
    tested = set(NAME.findall(statement.guard or ""))
    return statement.reads - tested | statement.reads & set(_READ.findall(statement.text))


def add_wakeups(source: Source, place: dict[str, tuple[int, int]]) -> None:
    """Make statements, in their final order and form, activate the groups of their readers."""
    for number, statement in enumerate(source.statements):
        mask = 0
        for name in statement.writes:
            mask |= source.activates.get(name, 0)
        if not statement.clocked or not mask:
            continue
        name, *others = statement.writes
        old, new = f"{name}.curr", f"{name}.next"
        if statement.writes <= place.keys():  # a lane, or a loop over some
            array, first = min(place[target] for target in statement.writes)
            new = f"vd_lanes<{len(statement.writes)}>(&vd_array_{array}[{first}])"
        elif others or name not in source.registers:
            # Memories: any write counts as a change.
            statement.lines.append(f"\t{_set('vd_activate', mask)}")
            continue
        elif not any(f"{new} = " in line for line in statement.lines):
            new = old
        if not new.endswith(".next"):  # it is written in place
            old = f"vd_old_{number}"
            statement.lines.insert(0, f"\tconst auto {old} = {new};")
        for word, bits in _words(mask):
            # A branch, because most registers keep their value in most cycles.
            statement.lines.append(
                f"\tif (vd_differ({old}, {new})) [[unlikely]] vd_activate[{word}] |= {bits:#x}u;"
            )


def opens(source: Source, group: int) -> str:
    """The test before the statements of a group."""
    word, bit = divmod(group, 64)
    test = f"vd_active[{word}] & {1 << bit:#x}u"
    guard = source.guards[group]
    if guard is None:
        return f"\tif ({test}) {{\n"
    return f"\tif (({test}) && ({guard})) {{\n\tvd_ran[{word}] |= {1 << bit:#x}u;\n"


def _set(words: str, mask: int) -> str:
    return " ".join(f"{words}[{word}] |= {bits:#x}u;" for word, bits in _words(mask))


def _words(mask: int) -> list[tuple[int, int]]:
    words = range(ceil_div(mask.bit_length(), 64))
    parts = ((word, mask >> 64 * word & (1 << 64) - 1) for word in words)
    return [(word, bits) for word, bits in parts if bits]


def _size(source: Source) -> int:
    """64-bit words for all groups."""
    return ceil_div(len(source.guards), 64)


def begin(source: Source) -> str:
    """The beginning of eval(): activates the groups of inputs that have changed."""
    return "".join(
        f"\tif (vd_differ(vd_was_{name}, {name})) {{\n"
        f"\t\tvd_was_{name} = {name};\n"
        f"\t\t{_set('vd_active', source.activates[name])}\n"
        "\t}\n"
        for name in source.inputs
        if name in source.activates
    )


def end(source: Source) -> str:
    """The end of eval(): groups that have run become inactive, unless they are activated."""
    unguarded = 0
    for number, guard in enumerate(source.guards):
        unguarded |= (guard is None) << number
    lines = []
    for word in range(_size(source)):
        always = unguarded >> 64 * word & (1 << 64) - 1
        lines.append(
            f"\tvd_active[{word}] = (vd_active[{word}] & ~(vd_ran[{word}] | {always:#x}u))"
            f" | vd_activate[{word}];\n\tvd_activate[{word}] = vd_ran[{word}] = 0;\n"
        )
    return "".join(lines)


def reset(source: Source) -> str:
    """The beginning of reset(): all groups are active."""
    return "".join(f"\tvd_active[{word}] = ~uint64_t(0);\n" for word in range(_size(source)))


def declarations(source: Source) -> str:
    """Declarations of members."""
    if not source.guards:
        return ""
    was = (
        f"\tvalue<{bits}> vd_was_{name};\n"
        for name, bits in source.inputs.items()
        if name in source.activates
    )
    size = _size(source)
    return (
        f"\tuint64_t vd_active[{size}], vd_activate[{size}] = {{}}, vd_ran[{size}] = {{}};\n"
        + "".join(was)
    )
