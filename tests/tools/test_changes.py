"""What differs from a revision, function by function."""

from pathlib import Path

import pytest

from tests.git import git
from tools.changes import changed_functions, changed_since
from tools.errors import BadInput

MODULE = '''
"""A module."""
LIMIT = 3

class Unit(Base):
    width = 4

    def elaborate(self):
        return 1  # a comment

def helper():
    def inner(x):
        return x
    return 2
'''


@pytest.mark.parametrize(
    "old, new, functions",
    [
        ("return 1  # a comment", "return (1)", set()),
        ("return 1", "return 3", {"Unit.elaborate"}),
        ("return 2", "return 3", {"helper", "helper.inner"}),
        ("return x", "return -x", {"helper", "helper.inner"}),
        ("LIMIT = 3", "LIMIT = 4", {""}),
        ("width = 4", "width = 5", {"Unit"}),
        ("(Base)", "(Other)", {"Unit"}),
        ("def helper", "def other", {"helper", "helper.inner", "other", "other.inner"}),
        ("class Unit", "class Other", {"Unit", "Unit.elaborate", "Other", "Other.elaborate"}),
        ("return 2", "return ((", {""}),
    ],
)
def test_the_functions_that_differ(old: str, new: str, functions: set[str]):
    assert MODULE.count(old) == 1
    assert changed_functions(MODULE, MODULE.replace(old, new)) == functions


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    for name in ("design/kept.py", "design/edited.py", "design/gone.py", "docs/page.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(MODULE)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_edited_new_and_removed_files_differ(repository: Path):
    edited = repository / "design" / "edited.py"
    edited.write_text(MODULE.replace("return 2", "return 3"))
    (repository / "design" / "new.py").write_text("def unit():\n    return 1\n")
    (repository / "design" / "gone.py").unlink()
    (repository / "docs" / "page.md").write_text("other")
    changes = changed_since("HEAD", "--since", repository)
    assert changes == {
        "design/edited.py": {"helper", "helper.inner"},
        "design/gone.py": {""},
        "design/new.py": {"unit"},
        "docs/page.md": {""},
    }
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    assert not changed_since("HEAD", "--since", repository)
    assert changed_since("HEAD~1", "--since", repository) == changes


@pytest.mark.parametrize("revision", ["nowhere", "--help", ""])
def test_an_unknown_revision_is_bad_input(repository: Path, revision: str):
    with pytest.raises(BadInput, match=r"--since .* is no revision"):
        changed_since(revision, "--since", repository)


def test_a_git_that_fails_is_bad_input(repository: Path):
    (repository / ".git" / "index").write_bytes(b"broken")
    with pytest.raises(BadInput, match=r"git diff failed: .*index"):
        changed_since("HEAD", "--since", repository)
