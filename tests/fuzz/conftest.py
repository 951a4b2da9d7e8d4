"""Counts what the fuzzing compared, for the record of the run (`tests/recorder.py`)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import settings

from gate.manifest import DEFAULT_PROFILE, PROFILES
from tests.fuzz.reproducer import reproducing


@pytest.fixture
def fuzz_record(request: pytest.FixtureRequest) -> Iterator[Callable[[int, int], None]]:
    """Call with (values compared, tokens) after each case."""
    counts = {"examples": 0, "values": 0, "steps": 0}

    def record(values: int, steps: int) -> None:
        counts["examples"] += 1
        counts["values"] += values
        counts["steps"] += steps

    yield record
    request.node.user_properties.extend(counts.items())


@pytest.fixture
def reproducer(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """``with reproducer: run()`` leaves the smallest failing case below build/fuzz."""
    return reproducing(request.node.name)


@pytest.fixture
def building_settings() -> settings:
    """For tests that compile a design per example: as many as the profile can afford."""
    profile = PROFILES.get(settings.get_current_profile_name(), PROFILES[DEFAULT_PROFILE])
    return settings(max_examples=profile.drawn)
