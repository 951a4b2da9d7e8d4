"""Counts what the fuzzing compared and reached, for the record of the run (`tests/recorder.py`)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import Phase, settings

from gate.manifest import DEFAULT_PROFILE, PROFILES, Profile
from tests.fuzz.reproducer import Compared, reproducing


@pytest.fixture
def fuzz_record(request: pytest.FixtureRequest) -> Iterator[Callable[[Compared], None]]:
    """Call with each case that was compared."""
    counts = {"examples": 0, "values": 0, "steps": 0}
    reached: set[str] = set()

    def record(compared: Compared) -> None:
        counts["examples"] += 1
        counts["values"] += compared.values
        counts["steps"] += compared.steps
        reached.update(compared.reached)

    yield record
    request.node.user_properties.extend(counts.items())
    request.node.user_properties.append(("reached", sorted(reached)))


@pytest.fixture
def reproducer(request: pytest.FixtureRequest) -> AbstractContextManager[None]:
    """``with reproducer: run()`` leaves the smallest failing case below build/fuzz."""
    return reproducing(request.node.name)


def _profile() -> Profile:
    return PROFILES.get(settings.get_current_profile_name(), PROFILES[DEFAULT_PROFILE])


@pytest.fixture
def building_settings() -> settings:
    """For tests that compile a design per example: as many as the profile can afford."""
    return settings(max_examples=_profile().drawn_each)


@pytest.fixture
def rule_settings() -> settings:
    """For state machines: as many rules a run as the profile has, and no explanations, which
    trace every line."""
    phases = [phase for phase in settings().phases if phase is not Phase.explain]
    return settings(stateful_step_count=_profile().rules, phases=phases)


@pytest.fixture
def planted_settings() -> settings:
    """For state machines that run on a planted bug: the same examples in every run, not shrunk."""
    return settings(
        database=None, derandomize=True, max_examples=100, stateful_step_count=10,
        phases=[Phase.generate],
    )  # fmt: skip
