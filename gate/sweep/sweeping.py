"""Proofs for random configurations, as evidence that theorems hold beyond the named ones.

A configuration that refutes a theorem is shrunk, kept in `KEPT`, and proved first in every sweep.
"""

import dataclasses
import enum
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from formal.runner import Result, Runner
from formal.tasks.task import NAMED, Task
from spec.config import (
    CONFIGS,
    Config,
    Geometry,
    Numerics,
    config_from_dict,
    config_to_dict,
)
from spec.shape import Shape
from tests.strategies import configs
from tools.files import write_atomically
from tools.provenance import provenance

#: The name of drawn configurations.
DRAWN = "drawn"
#: Configurations that refuted a theorem, by its id: committed, like regression tests.
KEPT = Path(__file__).with_name("kept.json")


#: The first configuration that Hypothesis draws.
_SMALLEST = Config(
    name=DRAWN,
    shape=Shape(dim=2, hidden=1, layers=1, heads=1, kv_heads=1, vocab=2, seq_len=1),
    geometry=Geometry(lanes=1),
)


def describe(config: Config) -> str:
    """The drawn parts of a configuration, in one line."""
    plain = {field.name: field.default for field in dataclasses.fields(Shape)}
    sizes = ", ".join(
        f"{name} {value}" for name, value in vars(config.shape).items() if value != plain[name]
    )
    geometry, numerics = config.geometry, config.numerics
    formats = {field.name: field.default for field in dataclasses.fields(Numerics)}
    others = [
        f"{name} {value.value if isinstance(value, enum.Enum) else value}"
        for name, value in vars(numerics).items()
        if value != formats[name]
    ]
    return "; ".join(
        [sizes, f"{geometry.lanes} lanes, {geometry.cache.value} cache", ", ".join(others)]
    ).removesuffix("; ")


@dataclass
class Swept:
    """The outcome for one theorem: configurations `proved`, `undecided` (out of time), and the
    smallest refuting one (`red`), with its result."""

    task: Task
    proved: list[Config] = field(default_factory=list)
    undecided: list[Config] = field(default_factory=list)
    red: Config | None = None
    result: Result | None = None

    def add(self, config: Config, result: Result) -> bool:
        """Add the result for `config`; returns whether it refutes the theorem."""
        if not result.detail:
            self.proved.append(config)
        elif self.late(result):
            self.undecided.append(config)
        else:
            self.red, self.result = config, result
            return True
        return False

    @staticmethod
    def late(result: Result) -> bool:
        """Whether the proof ran out of time."""
        return bool(result.proof and result.proof.status == "TIMEOUT")

    @property
    def smallest(self) -> str:
        """The refuting configuration in one line; sweep.json has all of it."""
        return describe(self.red) if self.red else ""


class _Red(Exception):
    """Raised to make Hypothesis shrink the configuration."""


def drawn_from(tasks: Sequence[Task]) -> list[Task]:
    """The tasks that claim other configurations than those of the table."""
    return [task for task in tasks if task.domain is not NAMED]


def kept_for(task: Task, path: Path) -> list[Config]:
    """The configurations in the file `path` that once refuted `task`."""
    if not path.exists():
        return []
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [config_from_dict(entry["config"]) for entry in entries if entry["id"] == task.id]


def keep(path: Path, swept: Sequence[Swept]) -> list[Swept]:
    """Add new refuting configurations to the file `path`; returns the outcomes added."""
    new = [
        outcome
        for outcome in swept
        if outcome.red and outcome.red not in kept_for(outcome.task, path)
    ]
    if new:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        known += [
            {"id": outcome.task.id, "config": config_to_dict(outcome.red)}
            for outcome in new
            if outcome.red
        ]
        write_atomically(path, json.dumps(known, indent=2) + "\n")
    return new


def sweep(
    task: Task,
    runner: Runner,
    *,
    examples: int,
    number: int,
    report: Callable[[Config, Result], None],
    kept: Sequence[Config] = (),
) -> Swept:
    """Prove `task` for the `kept` configurations, then for `examples` of its domain, drawn with
    the seed `number`.

    A refuting configuration that was drawn is shrunk. `report` is called with each result.
    """
    swept = Swept(task)

    def refutes(config: Config) -> bool:
        result = dataclasses.replace(runner, configs={DRAWN: config}).run(task, DRAWN)
        report(config, result)
        return swept.add(config, result)

    if any(refutes(config) for config in kept):
        return swept

    @seed(f"{number} {task.id}")
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(configs().filter(task.domain.holds))
    def check(config: Config) -> None:
        # Hypothesis always begins with the smallest configuration: spend no example on it.
        assume(swept.red or config != _SMALLEST)
        if refutes(config):
            raise _Red

    try:
        check()
    except _Red:
        # Hypothesis runs the smallest refuting configuration last.
        assert swept.result
    return swept


def sweep_named(task: Task, runner: Runner, *, report: Callable[[Config, Result], None]) -> Swept:
    """Prove `task` for the named configurations of its domain, up to the first that refutes it."""
    swept = Swept(task)
    for config in filter(task.domain.holds, CONFIGS.values()):
        result = dataclasses.replace(runner, configs=CONFIGS).run(task, config.name)
        report(config, result)
        if swept.add(config, result):
            break
    return swept


def write_sweep(
    path: Path, swept: Sequence[Swept], number: int, complete: bool, *, sources: str | None
) -> None:
    """Write sweep.json: the digest of the sources (`tools.evidence`), the seed, whether it covers
    all properties (`complete`), and by property the configurations of each outcome."""

    def as_dicts(configs: Sequence[Config]) -> list[dict[str, Any]]:
        return [config_to_dict(config) for config in configs]

    records = [
        {
            "id": outcome.task.id,
            "claimed_for": outcome.task.domain.words,
            "proved": as_dicts(outcome.proved),
            "undecided": as_dicts(outcome.undecided),
            "red": config_to_dict(outcome.red) if outcome.red else None,
            "detail": outcome.result.detail if outcome.result else "",
        }
        for outcome in swept
    ]
    content = {
        **provenance(),
        "sources": sources,
        "seed": number,
        "complete": complete,
        "results": records,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(content, indent=2) + "\n")
