"""Counts what the fuzzing compared, and leaves it in build/fuzz/summary.json."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.fuzz.reproducer import reproducing

SUMMARY = Path(__file__).resolve().parents[2] / "build" / "fuzz" / "summary.json"
#: Designs that are drawn and compiled, by profile.
BUILDS = {"dev": 4, "ci": 16, "nightly": 400}

_cases: dict[str, dict[str, int]] = {}


@pytest.fixture
def fuzz_record(request: pytest.FixtureRequest) -> Callable[[int, int], None]:
    """Call with (values compared, tokens) after each case."""
    case = _cases.setdefault(request.node.name, {"examples": 0, "values": 0, "steps": 0})

    def record(values: int, steps: int) -> None:
        case["examples"] += 1
        case["values"] += values
        case["steps"] += steps

    return record


@pytest.fixture
def reproducer(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """``with reproducer: run()`` leaves the smallest failing case below build/fuzz."""
    return reproducing(request.node.name)


def profile_name() -> str:
    """The Hypothesis profile in force."""
    return settings.get_current_profile_name()


@pytest.fixture
def building_settings() -> settings:
    """For tests that compile a design per example: as many as the profile can afford."""
    return settings(max_examples=BUILDS.get(profile_name(), BUILDS["dev"]))


@pytest.fixture(scope="session", autouse=True)
def _summary() -> Iterator[None]:
    yield
    SUMMARY.parent.mkdir(parents=True, exist_ok=True)
    total = {
        key: sum(case[key] for case in _cases.values()) for key in ("examples", "values", "steps")
    }
    cases = [{"test": name} | case for name, case in _cases.items()]
    draft = SUMMARY.with_suffix(f".{os.getpid()}")
    draft.write_text(
        json.dumps({"profile": profile_name(), **total, "cases": cases}, indent=2) + "\n"
    )
    draft.replace(SUMMARY)
