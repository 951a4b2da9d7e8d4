"""The workflows of .github/: pinned actions, least permissions, commands that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(path.read_text("utf-8"))["jobs"]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_actions_are_pinned_by_hash_and_say_their_version(workflow: Path):
    lines = [line.strip() for line in workflow.read_text("utf-8").splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not _PINNED.search(line)] == []


def test_one_version_of_each_action():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (\S+)", path.read_text())}
    assert len({name.partition("@")[0] for name in used}) == len(used)


def test_no_job_has_a_right_that_it_does_not_need(workflow: Path):
    assert yaml.safe_load(workflow.read_text("utf-8"))["permissions"] == {}
    for name, job in jobs(workflow).items():
        writes = {scope for scope, right in job["permissions"].items() if right == "write"}
        comments = any("gh pr comment" in step.get("run", "") for step in job["steps"])
        assert writes == ({"pull-requests"} if comments else set()), name
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name


def test_nothing_of_a_pull_request_is_pasted_into_a_shell(workflow: Path):
    """Titles and names of branches are written by strangers: they may come by the environment."""
    for job in jobs(workflow).values():
        for step in job["steps"]:
            assert not re.search(r"\$\{\{(?!\s*matrix\.)", step.get("run", "")), step


def test_every_job_ends_in_the_required_one():
    every = jobs(ROOT / ".github" / "workflows" / "ci.yml")
    required = every.pop("required")
    assert sorted(required["needs"]) == sorted(every)
    assert {f"${name.upper()}" for name in every} <= set(
        re.findall(r"\$\w+", required["steps"][0]["run"])
    )
