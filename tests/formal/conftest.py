"""What the tests of the runner share."""

import pytest

from formal.runner import Runner


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """One build folder for all: what they share is asked of the engines once."""
    return tmp_path_factory.mktemp("formal")


@pytest.fixture
def run(build):
    """Run one task at nano."""
    return lambda task, **options: Runner(build=build, **options).run(task, "nano")
