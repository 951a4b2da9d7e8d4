"""docs/proofs.md: the tables of properties and of widths, from the table of tasks."""

from collections.abc import Iterable, Sequence

from formal.tasks.configs import CORE, WIDE
from formal.tasks.task import Task
from tools.sources import ROOT

PAGE = ROOT / "docs" / "proofs.md"

_HEAD = """\
# Proofs

`python -m formal table --write` generates this page from `formal/tasks/__init__.py`.
[Verification](verification.md) explains the proofs and their assumptions.
"""
_PROPERTIES = """\
## Properties

*Claimed for* names configurations beyond those of the table of widths: `nox -s sweep` proves the
property for a few of them, drawn every day.
"""
_WIDTHS = """\
## Widths

The number of proved properties of each family, at each configuration of `formal/tasks/configs.py`.
`python -m formal prove` proves the core, {core} records; `--all`, used by the gate, all {all}. By
default, the core has the configurations {names}.
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
    """A row per family, a column per configuration; ``3 of 5`` if some are listed as not proved."""
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
        yield f"Also proved for {', '.join(others)}: {', '.join(ids)}."
    if late := [f"`{task.id}`" for task in tasks if not task.configs]:
        yield f"Not in the core: {', '.join(late)}."


def _unproved(tasks: Sequence[Task]) -> Iterable[str]:
    """The missing proofs, with reasons."""
    reasons: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for task in tasks:
        for reason in dict.fromkeys(task.unproved.values()):
            names = tuple(name for name, other in task.unproved.items() if other == reason)
            reasons.setdefault((reason, names), []).append(task.id)
    for (reason, names), ids in reasons.items():
        yield f"- {', '.join(f'`{id}`' for id in ids)} at {', '.join(names)}: {reason}."


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
