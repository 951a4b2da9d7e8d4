"""Activity gating: statements whose inputs have not changed are skipped.

Most of a decoder is idle most of the time: its softmax while a projection runs, its cache between
requests. A statement depends, through signals, on registers, memories and inputs: its sources.
After it has run, it need not run again until one of them changes. So statements form groups. A
write that changes a source activates the groups of its readers in `vd_next`, for the next cycle.

A test costs time, and pays off only where sources keep their value in most cycles. So nothing is
gated that depends on the components in :data:`BUSY`, except on single bits of control.
"""

import re
from collections import Counter
from collections.abc import Iterable

from sim.tune.statements import Source, Statement

#: Components of the decoder that every beat passes. The list affects only the speed.
BUSY = {"array", "drain", "issue", "scalar", "writeback"}
#: Fewest characters of text in a group.
SMALLEST = 2000
#: Widest input that is compared with its last value, in bits.
WIDEST = 64


def add_gating(source: Source) -> None:
    """Set the `group` of gated statements, and the groups that each source `activates`.

    A group has the statements whose sources lie in the same components of the decoder.
    """
    computed = source.computed
    written = Counter(name for statement in source.statements for name in statement.writes)
    sources_of: dict[str, set[str]] = {}
    groups: dict[frozenset[tuple[str, ...]], list[tuple[Statement, set[str]]]] = {}
    for statement in source.statements:
        # Memories without a writer are constants, and so no sources.
        reads = {name for name in statement.reads if name in written or name in source.inputs}
        sources = set[str]().union(*(sources_of.get(name, {name}) for name in reads))
        if not statement.clocked:
            sources_of |= dict.fromkeys(statement.writes, sources)
        # If several statements write a name, all of them must run.
        several = any(written[name] > 1 for name in statement.writes)
        if not several and all(_is_mostly_idle(name, source) for name in sources):
            parts = frozenset(_path(name) for name in sources)
            groups.setdefault(parts, []).append((statement, sources))
    for group in groups.values():
        if sum(len(statement.text) for statement, _ in group) < SMALLEST:
            continue
        for statement, sources in group:
            statement.group = source.groups
            for name in sources:
                assert name not in computed, f"no wake-up source for readers of {name}"
                source.activates.setdefault(name, set()).add(source.groups)
        source.groups += 1


def _is_mostly_idle(name: str, source: Source) -> bool:
    if name in source.inputs:
        return source.inputs[name] <= WIDEST
    parts = {re.sub(r"(__\d+)?$", "", part) for part in _path(name)}
    return source.registers.get(name) == 1 or not parts & BUSY


def _path(name: str) -> tuple[str, ...]:
    """The decoder and the component of it that `name` belongs to."""
    return tuple(re.sub(r"^(memory_)?p_", "", name).split("_2e_")[:-1][:2])


def add_wakeups(source: Source) -> None:
    """Make statements, in their final order and form, activate the groups of their readers."""
    for number, statement in enumerate(source.statements):
        groups = set[int]().union(*(source.activates.get(name, ()) for name in statement.writes))
        if not statement.clocked or not groups:
            continue
        name = min(statement.writes)
        old, new = f"{name}.curr", f"{name}.next"
        if not statement.loop and (len(statement.writes) > 1 or name not in source.registers):
            # Memories: any write counts as a change.
            statement.lines.append(f"\t{_set('vd_next', groups)}")
            continue
        if not any(f"{new} = " in line for line in statement.lines):  # it is written in place
            old, new = f"vd_old_{number}", statement.loop or old
            statement.lines.insert(0, f"\tconst auto {old} = {new};")
        # A branch, because most registers keep their value in most cycles.
        test = f"\tif (vd_differ({old}, {new})) [[unlikely]]"
        statement.lines.append(f"{test} {{ {_set('vd_next', groups)} }}")


def _set(array: str, groups: Iterable[int]) -> str:
    return "".join(f"{array}[{group}] = " for group in sorted(groups)) + "true;"


def begin(source: Source) -> str:
    """The beginning of eval(): activates the groups of inputs that have changed."""
    return "".join(
        f"\tif (vd_differ(vd_was_{name}, {name})) {{\n"
        f"\t\tvd_was_{name} = {name};\n\t\t{_set('vd_active', source.activates[name])}\n\t}}\n"
        for name in source.inputs
        if name in source.activates
    )


def opens(statement: Statement) -> str:
    """The test before the statements of a group."""
    return "" if statement.group is None else f"\tif (vd_active[{statement.group}]) {{\n"


#: The end of eval(): the next cycle begins.
END = "\tmemcpy(vd_active, vd_next, sizeof vd_next);\n\tmemset(vd_next, 0, sizeof vd_next);\n"
#: The beginning of reset(): all groups are active.
RESET = "\tmemset(vd_active, true, sizeof vd_active);\n"


def declarations(source: Source) -> str:
    """Declarations of members."""
    was = (
        f"\tvalue<{bits}> vd_was_{name};\n"
        for name, bits in source.inputs.items()
        if name in source.activates
    )
    return f"\tbool vd_active[{source.groups}], vd_next[{source.groups}] = {{}};\n" + "".join(was)
