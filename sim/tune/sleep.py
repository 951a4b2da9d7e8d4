"""Statements that sleep: what reads nothing that changed would compute what is there already.

Most of a decoder waits most of the time: its softmax while a projection runs, its cache while
nobody asks. A statement depends, through signals, on registers, memories and inputs: its sources.
While none of them changes, and once it has happened, it need not happen again. So statements form
groups, each with a bit in `vd_awake`. Whoever writes a source wakes those that read it, by
`vd_wake`, which counts from the next cycle on. What a guard depends on is a source, too, but for
the guards in :data:`BUSY`: their groups stay awake until these let them happen, so that what they
depend on wakes nobody; `vd_ran` tells when it did.

A test costs time, too, and pays where a part waits much longer than it works. What does so cannot
be read off the text: :data:`WAITING` names it.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from sim.tune.statements import NAME, SIGNAL, Source, Statement
from spec.derived import ceil_div

_READ = re.compile(rf"\b(?:memory_)?{SIGNAL}\b(?!\.next|\.update)")
#: Components (or single registers) that mostly wait. It changes nothing but the speed.
WAITING = (
    "argmax", "attention", "buffer", "cache", "layer_sequencer", "queries", "reciprocals",
    "residual", "rmsnorm", "rope", "softmax", "token_sequencer", "array.sums_valid",
    "issue.needs_weights", "projection.done", "score.done", "value.done",
)  # fmt: skip
#: Guards that let things happen nearly always.
BUSY = ("array.en", "issue.next_t_en")
#: Characters of text below which a group of statements is not worth a test.
SMALLEST = 300
#: The part of their sources that groups must share to become one.
ALIKE = 0.3


def _named(names: tuple[str, ...]) -> re.Pattern[str]:
    """Matches what CXXRTL calls `names`, and what is in them."""
    escaped = "|".join(name.replace("_", "__").replace(".", "_2e_") for name in names)
    return re.compile(rf"^(?:memory_)?p_(?:\w+_2e_)?(?:{escaped})(?:_24_\d+)?(?:_2e_|\b)")


@dataclass
class _Group:
    """Statements that sleep together. `sources`, and what these have in common in all lanes."""

    guard: str | None
    sources: set[str]
    families: set[str]
    statements: list[Statement] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(each.text) for each in self.statements)

    def is_like(self, other: "_Group") -> bool:
        both, any_of = self.families & other.families, self.families | other.families
        return self.guard == other.guard and len(both) >= ALIKE * len(any_of)


def add_sleep(source: Source) -> None:
    """Give statements the `group` they sleep in, and note whom each of its sources `wakes`."""
    computed = {name for each in source.statements if not each.clocked for name in each.writes}
    groups = sorted(_groups(source), key=lambda each: -each.size)
    joined: list[_Group] = []
    for group in groups:
        friend = next((each for each in joined if group.is_like(each)), None)
        if friend is None:
            joined.append(group)
        else:
            friend.sources |= group.sources
            friend.families |= group.families
            friend.statements += group.statements
    for group in joined:
        if group.size < SMALLEST:
            continue
        number = len(source.guards)
        source.guards.append(group.guard)
        for statement in group.statements:
            statement.group = number
        for name in group.sources:
            assert name not in computed, f"nothing wakes whom {name} concerns"
            source.wakes[name] = source.wakes.get(name, 0) | 1 << number


def _groups(source: Source) -> list[_Group]:
    """Statements of which all sources mostly wait, by guard and sources."""
    written = Counter(name for each in source.statements for name in each.writes)
    waiting, busy = _named(WAITING), _named(BUSY)
    inputs = {name for name, bits in source.inputs.items() if bits <= 64}
    behind: dict[str, set[str]] = {}
    groups: dict[tuple[str | None, frozenset[str]], _Group] = {}
    for statement in _computed_first(source):
        # A memory that nobody writes is a constant.
        held = statement.guard is not None and busy.match(statement.guard)
        read = _data(statement) if held else statement.reads
        reads = {n for n in read if n in written or n in source.inputs}
        sources = set[str]().union(*(behind.get(name, {name}) for name in reads))
        if not statement.clocked:
            behind |= dict.fromkeys(statement.writes, sources)
        # What two write cannot be left to one of them.
        if any(written[name] > 1 for name in statement.writes):
            continue
        if all(name in inputs or waiting.match(name) for name in sources):
            families = {re.sub(r"\d+", "#", name) for name in sources}
            guard = statement.guard if held else None
            key = guard, frozenset(families)
            group = groups.setdefault(key, _Group(guard, set(), families))
            group.sources |= sources
            group.statements.append(statement)
    return list(groups.values())


def _computed_first(source: Source) -> list[Statement]:
    """Signals behind what they depend on, guards included, and then what happens at the clock."""
    computes = {
        name: each for each in source.statements if not each.clocked for name in each.writes
    }
    order: TopologicalSorter[Statement] = TopologicalSorter()
    for each in source.statements:
        if not each.clocked:
            order.add(each, *(computes[name] for name in sorted(each.reads) if name in computes))
    return [*order.static_order(), *(each for each in source.statements if each.clocked)]


def _data(statement: Statement) -> set[str]:
    """What a statement reads where its guard lets it happen."""
    tested = set(NAME.findall(statement.guard or ""))
    return statement.reads - tested | statement.reads & set(_READ.findall(statement.text))


def watch(source: Source, place: dict[str, tuple[int, int]]) -> None:
    """Have statements wake whom they concern. They are in their final order and form."""
    for number, statement in enumerate(source.statements):
        mask = 0
        for name in statement.writes:
            mask |= source.wakes.get(name, 0)
        if not statement.clocked or not mask:
            continue
        name, *others = statement.writes
        old, new = f"{name}.curr", f"{name}.next"
        if statement.writes <= place.keys():  # a lane, or a loop over some
            array, first = min(place[each] for each in statement.writes)
            new = f"vd_lanes<{len(statement.writes)}>(&vd_array_{array}[{first}])"
        elif others or name not in source.registers:
            # Memories: written is as good as changed.
            statement.lines.append(f"\t{_set('vd_wake', mask)}")
            continue
        elif not any(f"{new} = " in line for line in statement.lines):
            new = old
        if not new.endswith(".next"):  # it is written in place
            old = f"vd_old_{number}"
            statement.lines.insert(0, f"\tconst auto {old} = {new};")
        for word, bits in _words(mask):
            # A branch, since what most registers do in a cycle is what they did in the last one.
            statement.lines.append(
                f"\tif (vd_differ({old}, {new})) [[unlikely]] vd_wake[{word}] |= {bits:#x}u;"
            )


def opens(source: Source, group: int) -> str:
    """The test in front of statements of a group."""
    word, bit = divmod(group, 64)
    test = f"vd_awake[{word}] & {1 << bit:#x}u"
    guard = source.guards[group]
    if guard is None:
        return f"\tif ({test}) {{\n"
    return f"\tif (({test}) && ({guard})) {{\n\tvd_ran[{word}] |= {1 << bit:#x}u;\n"


def _set(words: str, mask: int) -> str:
    return " ".join(f"{words}[{word}] |= {bits:#x}u;" for word, bits in _words(mask))


def _words(mask: int) -> list[tuple[int, int]]:
    words = range(ceil_div(mask.bit_length(), 64))
    found = ((word, mask >> 64 * word & (1 << 64) - 1) for word in words)
    return [(word, bits) for word, bits in found if bits]


def _size(source: Source) -> int:
    """Words of 64 bits for all groups."""
    return ceil_div(len(source.guards), 64)


def begin(source: Source) -> str:
    """The begin of eval(): which inputs are others than last time."""
    return "".join(
        f"\tif (vd_differ(vd_was_{name}, {name})) {{\n"
        f"\t\tvd_was_{name} = {name};\n"
        f"\t\t{_set('vd_awake', source.wakes[name])}\n"
        "\t}\n"
        for name in source.inputs
        if name in source.wakes
    )


def end(source: Source) -> str:
    """The end of eval()."""
    happened = 0
    for number, guard in enumerate(source.guards):
        happened |= (guard is None) << number
    lines = []
    for word in range(_size(source)):
        always = happened >> 64 * word & (1 << 64) - 1
        lines.append(
            f"\tvd_awake[{word}] = (vd_awake[{word}] & ~(vd_ran[{word}] | {always:#x}u))"
            f" | vd_wake[{word}];\n\tvd_wake[{word}] = vd_ran[{word}] = 0;\n"
        )
    return "".join(lines)


def reset(source: Source) -> str:
    """The begin of reset(): all are awake."""
    return "".join(f"\tvd_awake[{word}] = ~uint64_t(0);\n" for word in range(_size(source)))


def declarations(source: Source) -> str:
    """Members."""
    if not source.guards:
        return ""
    was = (
        f"\tvalue<{bits}> vd_was_{name};\n"
        for name, bits in source.inputs.items()
        if name in source.wakes
    )
    size = _size(source)
    return (
        f"\tuint64_t vd_awake[{size}], vd_wake[{size}] = {{}}, vd_ran[{size}] = {{}};\n"
        + "".join(was)
    )
