"""Statements that sleep: what reads nothing that changed would compute what is there already.

Most of a decoder waits most of the time: its softmax while a projection runs, its cache while
nobody asks. A statement depends, through signals, on registers, memories and inputs: its sources.
If none of them changed at the last clock edge, the statement need not happen. Each source that
somebody sleeps by has a bit in `vd_moved`: whether it changed at the last edge. Whoever writes it
says so in `vd_next`, and `eval()` takes that over at its end.

A test and the comparisons behind it cost time, too, and pay where a part waits much longer than it
works. What does so cannot be read off the text: :data:`WAITING` names it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sim.tune.statements import Source, Statement

#: Components that mostly wait. It changes nothing but the speed.
WAITING = (
    "cache", "softmax", "reciprocals", "rmsnorm", "layer_sequencer", "token_sequencer", "buffer",
)  # fmt: skip
#: Characters of text below which a group of statements is not worth a test.
SMALLEST = 1000
#: The part of what they look at that groups must share to become one.
ALIKE = 0.3
#: Readers that make a signal count as one thing, whatever is behind it, where groups are compared.
WIDELY_READ = 12

_NAMES = "|".join(WAITING).replace("_", "__")
_WAITS = re.compile(rf"(?:^(?:memory_)?p_|^i_flatten_|_2e_)(?:_?5c_)?(?:{_NAMES})_2e_")


@dataclass
class _Group:
    """Statements that sleep together."""

    sources: set[str]
    near: set[str]
    statements: list[Statement] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(40 if each.guard else len(each.text) for each in self.statements)

    def is_like(self, other: "_Group") -> bool:
        return len(self.near & other.near) >= ALIKE * len(self.near | other.near)


def add_sleep(source: Source) -> None:
    """Give statements the bits they sleep by (`awake`), and their sources a bit each (`moved`)."""
    groups = sorted(_groups(source), key=lambda each: -each.size)
    joined: list[_Group] = []
    for group in groups:
        friend = next((each for each in joined if group.is_like(each)), None)
        if friend is None:
            joined.append(group)
        else:
            friend.sources |= group.sources
            friend.near |= group.near
            friend.statements += group.statements
    chosen = [each for each in joined if each.size >= SMALLEST]
    source.moved = _bits(chosen)
    for group in chosen:
        for statement in group.statements:
            statement.awake = _mask(source, group.sources)
    _follow(source)


def _groups(source: Source) -> list[_Group]:
    """Statements of what waits, by their sources."""
    written = {name for each in source.statements for name in each.writes}
    readers = Counter(name for each in source.statements for name in each.reads)
    wide = {name for name, bits in source.inputs.items() if bits > 64}
    behind: dict[str, set[str]] = {}
    near: dict[str, set[str]] = {}
    groups: dict[frozenset[str], _Group] = {}
    for statement in source.statements:
        # A memory that nobody writes is a constant.
        reads = {name for name in statement.reads if name in written or name in source.inputs}
        sources = set().union(*(behind.get(name, {name}) for name in reads))
        looks_at = set().union(*(near.get(name, {name}) for name in reads))
        if not statement.clocked:
            behind |= dict.fromkeys(statement.writes, sources)
            near |= {name: looks_at for name in statement.writes if readers[name] < WIDELY_READ}
        if all(_WAITS.search(name) for name in statement.writes) and not sources & wide:
            group = groups.setdefault(frozenset(sources), _Group(sources, set()))
            group.near |= looks_at
            group.statements.append(statement)
    return list(groups.values())


def _bits(groups: list[_Group]) -> dict[str, int]:
    """A bit for each source; sources that always come together share one."""
    used: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        for name in group.sources:
            used.setdefault(name, []).append(number)
    bits: dict[tuple[int, ...], int] = {}
    return {name: bits.setdefault(tuple(used[name]), len(bits)) for name in sorted(used)}


def _mask(source: Source, names: Iterable[str]) -> int:
    mask = 0
    for name in names:
        mask |= 1 << source.moved[name]
    return mask


def _follow(source: Source) -> None:
    """What is computed for sleepers alone sleeps with them."""
    users: dict[str, list[Statement]] = {}
    for statement in reversed(source.statements):
        if not statement.clocked and not statement.awake and not statement.writes & source.ports:
            needed = [user for name in statement.writes for user in users.get(name, ())]
            if all(user.awake for user in needed):
                for user in needed:
                    statement.awake |= user.awake
        for name in statement.reads:
            users.setdefault(name, []).append(statement)


def watch(source: Source) -> None:
    """Have statements say what they change. They are in their final order and form."""
    for number, statement in enumerate(source.statements):
        names = statement.writes & source.moved.keys()
        if not statement.clocked or not names:
            continue
        (name, *others) = statement.writes
        if others or name not in source.registers:
            # Loops over lanes, and memories: written is as good as changed.
            statement.lines.append(f"\t{_set('vd_next', _mask(source, names))}")
            continue
        bit = source.moved[name]
        old, new = f"{name}.curr", f"{name}.next"
        if not any(f"{new} = " in line for line in statement.lines):
            old, new = f"vd_old_{number}", old
            statement.lines.insert(0, f"\tconst auto {old} = {new};")
        changed = f"uint64_t(vd_differ({old}, {new})) << {bit % 64}"
        statement.lines.append(f"\tvd_next[{bit // 64}] |= {changed};")


def is_awake(mask: int) -> str:
    """The test for a statement that sleeps by `mask`."""
    return " || ".join(f"(vd_moved[{word}] & {bits:#x}u)" for word, bits in _words(mask))


def _set(words: str, mask: int) -> str:
    return " ".join(f"{words}[{word}] |= {bits:#x}u;" for word, bits in _words(mask))


def _words(mask: int) -> list[tuple[int, int]]:
    words = range(-(-mask.bit_length() // 64))
    found = ((word, mask >> 64 * word & (1 << 64) - 1) for word in words)
    return [(word, bits) for word, bits in found if bits]


def _size(source: Source) -> int:
    """Words of 64 bits for all sources."""
    return max(source.moved.values(), default=-1) // 64 + 1


def begin(source: Source) -> str:
    """The begin of eval(): which inputs are others than last time."""
    return "".join(
        f"\tif (vd_differ(vd_was_{name}, {name})) {{\n"
        f"\t\tvd_was_{name} = {name};\n"
        f"\t\t{_set('vd_moved', 1 << source.moved[name])}\n"
        "\t}\n"
        for name in source.inputs
        if name in source.moved
    )


def end(source: Source) -> str:
    """The end of eval()."""
    words = range(_size(source))
    return "".join(f"\tvd_moved[{n}] = vd_next[{n}];\n\tvd_next[{n}] = 0;\n" for n in words)


def reset(source: Source) -> str:
    """The begin of reset(): everything is new."""
    words = range(_size(source))
    return "".join(f"\tvd_moved[{n}] = ~uint64_t(0);\n" for n in words)


def declarations(source: Source) -> str:
    """Members."""
    if not source.moved:
        return ""
    was = (
        f"\tvalue<{bits}> vd_was_{name};\n"
        for name, bits in source.inputs.items()
        if name in source.moved
    )
    size = _size(source)
    return f"\tuint64_t vd_moved[{size}], vd_next[{size}] = {{}};\n" + "".join(was)
