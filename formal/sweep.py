"""Proofs about random configurations: what supports that a theorem holds beyond the named ones."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from design.config import CONFIGS, CacheBacking, Config, Geometry, Numerics, Shape, config_to_dict
from design.files import write_atomically
from formal.runner import Result, Runner
from formal.task import NAMED, Task

#: The name that a drawn configuration goes by.
DRAWN = "drawn"
#: Arguments of harnesses that replace what is to be drawn.
_FIXED = {"lanes", "k_word", "v_word", "seq_len"}


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Small shapes: any head ratio, odd hidden sizes, any vocabulary and context."""
    kv_heads = draw(st.integers(1, 4))
    group = draw(st.integers(1, 4))
    head_dim = 2 * draw(st.integers(1, 4))
    return Shape(
        dim=kv_heads * group * head_dim,
        hidden=draw(st.integers(1, 24)),
        layers=draw(st.integers(1, 3)),
        heads=kv_heads * group,
        kv_heads=kv_heads,
        vocab=draw(st.integers(2, 20)),
        seq_len=draw(st.integers(1, 18)),
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A small decoder of any shape and backing of the cache, on 1 to 32 lanes."""
    shape = draw(shapes())
    geometry = Geometry(
        lanes=1 << draw(st.integers(0, 5)), cache=draw(st.sampled_from(CacheBacking))
    )
    numerics = Numerics(weight_bits=draw(st.sampled_from((16, 8))))
    return Config(name=DRAWN, shape=shape, numerics=numerics, geometry=geometry)


def describe(config: Config) -> str:
    """The drawn parts of a configuration, in a line."""
    sizes = ", ".join(f"{name} {size}" for name, size in dataclasses.asdict(config.shape).items())
    geometry, numerics = config.geometry, config.numerics
    return (
        f"{sizes}; {geometry.lanes} lanes, {geometry.cache.value} cache,"
        f" {numerics.weight_bits}-bit weights"
    )


@dataclass
class Swept:
    """What became of one theorem: configurations `proved`, `undecided` (out of time), and the
    smallest one that is neither, with its result."""

    task: Task
    proved: list[Config] = field(default_factory=list)
    undecided: list[Config] = field(default_factory=list)
    red: Config | None = None
    result: Result | None = None

    def add(self, config: Config, result: Result) -> bool:
        """Count what came of `config`; whether it refutes the theorem."""
        if not result.detail:
            self.proved.append(config)
        elif result.proof and result.proof.status == "TIMEOUT":
            self.undecided.append(config)
        else:
            self.red, self.result = config, result
            return True
        return False

    @property
    def smallest(self) -> str:
        """The configuration that refutes the theorem, in a line; sweep.json has all of it."""
        return describe(self.red) if self.red else ""


class _Red(Exception):
    """Tells Hypothesis what to shrink."""


def drawn_from(tasks: Sequence[Task]) -> list[Task]:
    """The tasks that take their whole configuration as it comes, and are claimed of others."""
    return [task for task in tasks if not _FIXED & set(task.arguments) and task.domain is not NAMED]


def sweep(
    task: Task,
    runner: Runner,
    *,
    examples: int,
    number: int,
    tell: Callable[[Config, Result], None],
) -> Swept:
    """Prove `task` for `examples` configurations of its domain, drawn from seed `number`.

    A red one is shrunk. `tell` is told each result.
    """
    swept = Swept(task)

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
        result = dataclasses.replace(runner, configs={DRAWN: config}).run(task, DRAWN)
        tell(config, result)
        if swept.add(config, result):
            raise _Red

    try:
        check()
    except _Red:
        # The last that Hypothesis tried is the smallest that it found.
        assert swept.result
    return swept


def sweep_named(task: Task, runner: Runner, *, tell: Callable[[Config, Result], None]) -> Swept:
    """Prove `task` for the named configurations of its domain, up to the first that refutes it."""
    swept = Swept(task)
    for config in filter(task.domain.holds, CONFIGS.values()):
        result = dataclasses.replace(runner, configs=CONFIGS).run(task, config.name)
        tell(config, result)
        if swept.add(config, result):
            break
    return swept


def write_sweep(path: Path, swept: Sequence[Swept], number: int) -> None:
    """Write sweep.json: the seed, and by property the configurations of each outcome."""

    def told(configs: Sequence[Config]) -> list[dict[str, Any]]:
        return [config_to_dict(config) for config in configs]

    records = [
        {
            "id": each.task.id,
            "claimed_for": each.task.domain.words,
            "proved": told(each.proved),
            "undecided": told(each.undecided),
            "red": config_to_dict(each.red) if each.red else None,
            "detail": each.result.detail if each.result else "",
        }
        for each in swept
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"seed": number, "results": records}, indent=2) + "\n")
