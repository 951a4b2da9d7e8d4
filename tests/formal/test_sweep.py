"""Random configurations are drawn from the domain, and one that refutes is shrunk."""

import json
import re
from fnmatch import fnmatch

import pytest
from click.testing import CliRunner

from formal import runner, sweep, tasks
from formal.__main__ import main
from formal.runner import Runner
from formal.task import EVERYWHERE, NAMED, Domain
from tests.formal import toys
from tests.formal.toy_tasks import toy


def swept(task, build, **options):
    told = []
    runner = Runner(build=build, proofs_only=True)
    given = {"examples": 3, "number": 1, "tell": lambda config, result: told.append(config)}
    return sweep.sweep(task, runner, **(given | options)), told


def test_what_holds_is_proved_for_all_that_are_drawn(build):
    done, told = swept(toy(), build)
    assert done.red is None and not done.undecided
    assert done.proved == told and len({config.shape for config in told}) > 1


def test_what_does_not_hold_everywhere_is_shrunk_to_the_smallest(build):
    short = toy(harness=toys.only_short, arguments={})
    done, _ = swept(short, build, examples=20)
    assert done.red.shape.seq_len == 9  # the first that is too long
    assert done.red.shape.kv_heads == done.red.shape.heads == done.red.geometry.lanes == 1
    assert done.result.detail.startswith("violated: ")


def test_only_the_domain_is_drawn_from(build):
    within = Domain("short ones", lambda config: config.shape.seq_len <= 8)
    short = toy(harness=toys.only_short, arguments={}, domain=within)
    done, told = swept(short, build, examples=5)
    assert done.red is None
    assert all(config.shape.seq_len <= 8 for config in told)


def test_a_proof_out_of_time_is_undecided(build):
    endless = toy(mode="bmc", reason="to wait for", depth=10**6, timeout=1)
    done, _ = swept(endless, build, examples=1)
    assert done.red is None and not done.proved and len(done.undecided) == 1


def test_tasks_that_fix_what_is_drawn_are_left_out():
    ids = {task.id for task in sweep.drawn_from(tasks.TASKS)}
    assert {"kv.row_done", "schedule.projection"} <= ids
    assert not {"schedule.projection_folded", "kv.last_write.key_wide"} & ids
    theorems = {task.theorem for task in tasks.TASKS if task.domain is not NAMED}
    assert {task.theorem for task in tasks.TASKS if task.id in ids} == theorems


def test_the_documents_say_for_which_parameters():
    page = (runner.ROOT / "docs" / "verification.md").read_text("utf-8")
    table = page.partition("| property | claimed for |")[2].partition("\n\n")[0]
    claimed = {
        pattern: words
        for properties, words in re.findall(r"^\| (`.*`) \| (.*) \|$", table, re.MULTILINE)
        for pattern in re.findall(r"`(.*?)`", properties)
    }
    for task in tasks.TASKS:
        said = {words for pattern, words in claimed.items() if fnmatch(task.id, pattern)}
        assert said == {task.domain.words}, task.id


def test_the_named_configurations_in_place_of_drawn_ones(build, monkeypatch):
    short = toy(harness=toys.only_short, arguments={})
    monkeypatch.setattr(tasks, "TASKS", (short,))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    told = CliRunner().invoke(main, ["sweep", "--named"], standalone_mode=False)
    assert told.return_value == 1
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    # nano's context is short enough, that of the next is not.
    assert [each["name"] for each in record["proved"]] == ["nano"]
    assert record["red"]["name"] == "stories260k"


@pytest.mark.parametrize(
    "domain, code", [(EVERYWHERE, 1), (Domain("short", lambda c: c.shape.seq_len < 9), 0)]
)
def test_the_command_gives_the_verdict(build, monkeypatch, domain, code):
    short = toy(harness=toys.only_short, arguments={}, domain=domain)
    monkeypatch.setattr(tasks, "TASKS", (short,))
    monkeypatch.setattr("formal.__main__.BUILD", build)
    arguments = ["sweep", "--examples", "20" if code else "2", "--seed", "1"]
    told = CliRunner().invoke(main, arguments, standalone_mode=False)
    assert told.return_value == code
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    if code:
        assert record["red"]["shape"]["seq_len"] == 9
        assert "the smallest: dim 2, hidden 1, layers 1, heads 1" in told.output
    else:
        assert record["red"] is None and len(record["proved"]) == 2
