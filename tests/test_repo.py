"""The repository itself: its commands, its documents against CI, its lock, its imports."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

#: The rooms that each room may import. Rooms not listed here may import all.
ROOMS: dict[str, set[str]] = {
    "tools": set(),
    "spec": {"tools"},
    "design": {"tools", "spec"},
    "golden": {"tools", "spec"},
    "sim": {"tools", "spec", "design", "golden"},
    "board": {"tools", "spec", "design", "golden", "sim"},
    "properties": {"tools", "spec", "design"},
    "formal": {"tools", "spec", "design", "golden", "properties"},
    "synth": {"tools", "spec", "design", "golden", "sim"},
    "training": {"tools", "spec", "golden"},
    "mutate": {"tools", "spec", "design", "golden", "sim", "properties", "formal"},
}
FREE = {"gate", "tests", "benchmarks", "docs"}
#: The rooms that must not import Amaranth.
WITHOUT_AMARANTH = ("tools", "spec", "golden", "training")
#: Command lines that may call a room above their own.
FRONT_DOORS = {("design/__main__.py", "board")}


def imported_modules(source: str) -> Iterator[str]:
    """Dotted names of everything that `source` may import, ``a.b`` for ``from a import b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(folder: str) -> Iterator[tuple[str, str]]:
    """(file, imported name) for every import in `folder`."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in imported_modules(path.read_text(encoding="utf-8")):
            yield str(path.relative_to(ROOT)), name


def readme_commands() -> list[str]:
    """The lines of README's console blocks."""
    blocks = re.findall(
        r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.M | re.S
    )
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(
    "folder",
    [
        "design", "golden", "sim", "formal", "gate.summary", "gate.report", "synth", "training",
        "benchmarks", "mutate", "docs",
    ],
)  # fmt: skip
def test_every_command_answers_help(folder: str):
    answer = subprocess.run(
        [sys.executable, "-m", folder, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert f"python -m {folder}" in answer.stdout
    assert not answer.stderr


def test_ci_runs_the_readme_commands():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    environments = re.findall(r"^ *environment='(.*)'$", script, re.M)
    jobs = re.findall(r"^run '(.*)'$", script, re.M)
    assert len(environments) == 2
    composed = {f"{environment} && {job}" for environment in environments for job in jobs}
    commands = readme_commands()
    assert len(commands) == len(set(commands)) == 4  # main job and tests, with pip and with uv
    assert set(commands) <= composed
    assert jobs[-1].startswith(".venv/bin/pytest "), "the last lines must come from pytest"


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) < 150
    assert [line for line in lines if len(line) > 100 and line not in readme_commands()] == []


@pytest.mark.parametrize("name", ["ci.yml", "nightly.yml"])
def test_a_workflow_makes_the_environment_of_the_readme(name: str):
    workflow = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    environment = readme_commands()[0].rpartition(" && ")[0]
    assert f"- run: {environment}\n" in workflow


def test_the_lock_pins_everything_with_hashes_and_no_host():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"(^|\s)/\w", lock), "a path in the lock"
    lines = lock.replace("\\\n", " ").splitlines()
    pins = [line for line in lines if not line.lstrip().startswith("#")]
    assert pins
    pin_form = re.compile(r"[a-z0-9._-]+==\S+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [pin for pin in pins if not pin_form.fullmatch(pin)] == []


def test_the_lock_holds_every_dependency_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    required = [*project["project"]["dependencies"]]
    groups = project["dependency-groups"]
    included = [entry["include-group"] for entry in groups["dev"] if isinstance(entry, dict)]
    for name in (*included, "dev"):
        required += [entry for entry in groups[name] if isinstance(entry, str)]
    # The lock leaves out what only training and clusters need.
    assert groups.keys() - {*included, "dev"} == {"training", "farm"}
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.M))
    for entry in required:
        requirement = Requirement(entry)
        assert requirement.name in locked, f"{entry}: regenerate requirements.lock"
        assert locked[requirement.name] in requirement.specifier, entry


def test_rooms_import_only_rooms_below_them():
    wrong = [
        f"{file} imports {name}"
        for room, below in ROOMS.items()
        for file, name in imports_of(room)
        for other in [name.split(".")[0]]
        if other in {*ROOMS, *FREE} - below - {room} and (file, other) not in FRONT_DOORS
    ]
    assert not wrong


def test_every_folder_of_modules_is_a_room():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders | {"tests"} == {*ROOMS, *FREE}


@pytest.mark.parametrize("room", WITHOUT_AMARANTH)
def test_software_rooms_do_not_import_amaranth(room: str):
    assert not [file for file, name in imports_of(room) if name.split(".")[0] == "amaranth"]
