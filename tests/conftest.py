"""Fixtures for every test."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of stories260K.bin and tok512.bin; tests that need it skip where it is missing."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("VERIDECODE_DATA", beside))
    for name in ("stories260K.bin", "tok512.bin"):
        if not (folder / name).is_file():
            pytest.skip(f"no {name} in {folder}: set VERIDECODE_DATA to the folder that holds it")
    return folder
