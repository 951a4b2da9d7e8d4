"""Fixtures of the tests of the runner."""

import pytest

from formal.runner import Runner


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """One build folder for all tests, so that shared proofs run only once."""
    return tmp_path_factory.mktemp("formal")


@pytest.fixture
def run(build):
    """Run one task at nano."""
    return lambda task, **options: Runner(build=build, **options).run(task, "nano")
