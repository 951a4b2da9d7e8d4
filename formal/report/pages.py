"""docs/proofs.md: the table of properties, and that of widths, from the table of tasks."""

from collections.abc import Iterable, Sequence

from formal.tasks.configs import CORE, WIDE
from formal.tasks.task import Task
from tools.sources import ROOT

PAGE = ROOT / "docs" / "proofs.md"

_HEAD = """\
# Proofs

`python -m formal table --write` makes this page from `formal/tasks/__init__.py`.
[Verification](verification.md) says how the proofs are made, and what they rest on.
"""
_PROPERTIES = """\
## Properties

*Claimed for* are other configurations than those of the table of widths: `nox -s sweep` draws some
every day and proves the property of them.
"""
_WIDTHS = """\
## Widths

Of how many properties of a family there is a proof, at each configuration of
`formal/tasks/configs.py`, which says what each stands for. `python -m formal prove` proves the
core, {core} records; `--all`, as the gate does, all {all}. In the core are {names}, where a
property names no others.
"""


def page(tasks: Sequence[Task]) -> str:
    """The whole page, as Markdown."""
    core = sum(len(task.configs) for task in tasks)
    counts = {"core": core, "all": sum(len(task.all_configs) for task in tasks)}
    parts = (
        _HEAD,
        _PROPERTIES,
        "\n".join(_properties(tasks)) + "\n",
        _WIDTHS.format(**counts, names=", ".join(CORE)),
        "\n".join(_widths(tasks)) + "\n",
        "\n".join(["Not proved:", "", *_unproved(tasks)]) + "\n",
    )
    return "\n".join(parts)


def _properties(tasks: Sequence[Task]) -> Iterable[str]:
    """A row for each theorem, engine and domain, with the tasks that prove it."""
    rows: dict[tuple[str, str, str], list[Task]] = {}
    for task in tasks:
        engines = dict.fromkeys(task.for_config(name).engine for name in task.all_configs)
        key = (task.theorem.sentence(), ", ".join(engines), task.domain.words)
        rows.setdefault(key, []).append(task)
    yield _row("property", "theorem", "engine", "planted bug that must fail", "claimed for")
    yield _row(*["---"] * 5)
    for (sentence, engine, domain), members in rows.items():
        ids = ", ".join(f"`{task.id}`" for task in members)
        bugs = dict.fromkeys(task.bug.name for task in members)
        yield _row(ids, sentence, engine, "; ".join(bugs), domain)


def _widths(tasks: Sequence[Task]) -> Iterable[str]:
    """A row a family, a column a configuration; ``3 of 5`` where some are listed as not proved."""
    names = (*CORE, *WIDE)
    yield _row("family", *names)
    yield _row(*["---"] * (1 + len(names)))
    for family in dict.fromkeys(task.family for task in tasks):
        members = [task for task in tasks if task.family == family]
        counts = [sum(name in task.all_configs for task in members) for name in names]
        yield _row(
            family, *(str(n) if n == len(members) else f"{n} of {len(members)}" for n in counts)
        )
    yield ""
    sizes: dict[tuple[str, ...], list[str]] = {}
    for task in tasks:
        if others := tuple(name for name in task.all_configs if name not in names):
            sizes.setdefault(others, []).append(f"`{task.id}`")
    for others, ids in sizes.items():
        yield f"Proved for {', '.join(others)}, too: {', '.join(ids)}."
    if late := [f"`{task.id}`" for task in tasks if not task.configs]:
        yield f"Not in the core at all: {', '.join(late)}."


def _unproved(tasks: Sequence[Task]) -> Iterable[str]:
    """What stopped a proof, and of what."""
    reasons: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for task in tasks:
        for reason in dict.fromkeys(task.unproved.values()):
            where = tuple(name for name, each in task.unproved.items() if each == reason)
            reasons.setdefault((reason, where), []).append(task.id)
    for (reason, where), ids in reasons.items():
        yield f"- {', '.join(f'`{id}`' for id in ids)} at {', '.join(where)}: {reason}."


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
