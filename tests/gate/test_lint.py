"""Lint checks all files with the settings of the repository, and counts them."""

import json
import shutil

import pytest

from gate import lint
from tools import evidence


@pytest.mark.parametrize(
    ("name", "printed", "files"),
    [
        ("ruff check", "/a/one.py\n/a/two.py\n", 2),
        ("ruff check", "warning: no Python files found\n", 0),
        ("ruff format", "145 files already formatted\n", 145),
        ("ruff format", "1 file would be reformatted, 144 files already formatted\n", 145),
        ("ruff format", "warning: no Python files found\n", 0),
        ("mypy", "Success: no issues found in 130 source files\n", 130),
        ("mypy", "Found 2 errors in 1 file (checked 130 source files)\n", 130),
        ("mypy", "There are no .py[i] files in directory 'design'\n", 0),
    ],
)
def test_files_are_counted_by_what_the_checker_prints(name, printed, files):
    assert lint.CHECKS[name].count(printed) == files


def test_other_settings_do_not_narrow_it(tmp_path, monkeypatch):
    """By default, a ruff.toml overrides pyproject.toml, and files ignored by git are skipped."""
    shutil.copy(evidence.ROOT / "pyproject.toml", tmp_path)
    for name in evidence.FOLDERS:
        path = tmp_path / name
        path.write_text("") if path.suffix else path.mkdir()
    (tmp_path / "design" / "one.py").write_text("import os\n")
    (tmp_path / "ruff.toml").write_text('[lint]\nselect = ["E9"]\n')
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("design/\n")
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    monkeypatch.setattr(lint, "RECORD", tmp_path / "build" / "lint.json")
    monkeypatch.setattr(lint, "CHECKS", {"ruff check": lint.CHECKS["ruff check"]})
    assert lint.main([]) == 1
    (check,) = json.loads(lint.RECORD.read_text())["checks"]
    assert "F401" in check.pop("message")
    assert check == {"check": "ruff check", "ok": False, "files": 2}
    (tmp_path / "design" / "one.py").write_text("")
    assert lint.main([]) == 0
    assert lint.main(["--select", "E9"]) == 0
    assert not lint.RECORD.exists()
