"""Counts what the fuzzing compared and reached, for the record of the run (`tests/recorder.py`)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import Phase, settings

from gate.manifest import DEFAULT_PROFILE, PROFILES, Profile
from spec.config import Config
from tests.fuzz.reproducer import Compared, reproducing


@pytest.fixture
def fuzz_record(request: pytest.FixtureRequest) -> Iterator[Callable[[Compared], None]]:
    """Call with each case that was compared."""
    counts = {"examples": 0, "values": 0, "steps": 0}
    first: dict[str, int] = {}  # cover point: the example that reached it first
    drawn: dict[Config, int] = {}  # configuration: its examples

    def record(compared: Compared) -> None:
        counts["examples"] += 1
        counts["values"] += compared.values
        counts["steps"] += compared.steps
        if compared.config is not None:
            drawn[compared.config] = drawn.get(compared.config, 0) + 1
        for point in sorted(compared.reached - first.keys()):
            first[point] = counts["examples"]

    yield record
    request.node.user_properties.extend(counts.items())
    described = [_described(config) | {"examples": number} for config, number in drawn.items()]
    properties = {"reached": sorted(first), "first": first, "drawn": described}
    request.node.user_properties.extend(properties.items())


def _described(config: Config) -> dict[str, Any]:
    """What the report draws of a configuration."""
    shape, numerics, geometry = config.shape, config.numerics, config.geometry
    names = ("dim", "hidden", "layers", "heads", "kv_heads", "vocab", "seq_len", "head_dim")
    return {
        "name": config.name,
        **{name: getattr(shape, name) for name in names},
        "lanes": geometry.lanes,
        "cache": geometry.cache.value,
        "rope": numerics.rope_by.value,
        "rounding": numerics.rounding.value,
        "weight_bits": numerics.weight_bits,
        "residual": str(numerics.residual),
    }


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
    """For state machines: as many runs and rules a run as the profile has, and no explanations,
    which trace every line."""
    phases = [phase for phase in settings().phases if phase is not Phase.explain]
    profile = _profile()
    return settings(
        max_examples=min(profile.runs, settings().max_examples),
        stateful_step_count=profile.rules,
        phases=phases,
    )


@pytest.fixture
def planted_settings() -> settings:
    """For state machines that run on a planted bug: the same examples in every run, not shrunk."""
    return settings(
        database=None, derandomize=True, max_examples=100, stateful_step_count=10,
        phases=[Phase.generate],
    )  # fmt: skip
