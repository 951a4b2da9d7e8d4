"""Random configurations are drawn from the domain, and one that refutes is shrunk."""

import json

import pytest
from click.testing import CliRunner

from formal import tasks
from formal.runner import Runner
from formal.tasks.task import EVERYWHERE, Domain
from gate.sweep import __main__ as command
from gate.sweep import sweeping as sweep
from spec.config import CacheBacking, config_from_dict
from tests.formal import toys
from tests.formal.toy_tasks import toy


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """One build folder for all: what they share is asked of the engines once."""
    return tmp_path_factory.mktemp("sweep")


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


def test_what_is_claimed_of_no_other_configuration_is_left_out():
    ids = {task.id for task in sweep.drawn_from(tasks.TASKS)}
    assert {"kv.row_done", "schedule.projection"} <= ids
    assert not {"kv.in_range", "composition.cache_kept_loops"} & ids


def test_what_refuted_is_kept_and_proved_first(build):
    path = build / "kept.json"
    short = toy(harness=toys.only_short, arguments={})
    assert sweep.kept_for(short, path) == []
    done, _ = swept(short, build, examples=20)
    assert sweep.keep(path, [done]) == [done]
    assert sweep.keep(path, [done]) == []  # once
    kept = sweep.kept_for(short, path)
    again, told = swept(short, build, examples=20, kept=kept)
    assert kept == told == [again.red] == [done.red]
    # What is mended is proved about it, and then about what is drawn.
    mended, told = swept(toy(), build, examples=2, kept=kept)
    assert mended.red is None and told[0] == kept[0] and len(told) == 3


def test_what_is_kept_is_of_the_table_and_of_its_domain():
    entries = json.loads(sweep.KEPT.read_text(encoding="utf-8"))
    domains = {task.id: task.domain for task in sweep.drawn_from(tasks.TASKS)}
    for entry in entries:
        assert domains[entry["id"]].holds(config_from_dict(entry["config"])), entry["id"]


def test_seeds_draw_lanes_and_both_backings(build):
    drawn = [config for n in range(8) for config in swept(toy(), build, number=n)[1]]
    assert len({config.geometry.lanes for config in drawn}) > 3
    assert {config.geometry.cache for config in drawn} == set(CacheBacking)


def test_the_named_configurations_in_place_of_drawn_ones(build, monkeypatch):
    short = toy(harness=toys.only_short, arguments={})
    monkeypatch.setattr(tasks, "TASKS", (short,))
    monkeypatch.setattr(command, "TASKS", (short,))
    monkeypatch.setattr(command, "BUILD", build)
    told = CliRunner().invoke(command.main, ["--named"], standalone_mode=False)
    assert told.return_value == 1
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    # nano's context is short enough, that of the next is not.
    assert [each["name"] for each in record["proved"]] == ["nano"]
    assert record["red"]["name"] == "stories260k"


@pytest.mark.parametrize(
    "domain, code", [(EVERYWHERE, 1), (Domain("short", lambda c: c.shape.seq_len < 9), 0)]
)
def test_the_command_gives_the_verdict(build, monkeypatch, tmp_path, domain, code):
    short = toy(harness=toys.only_short, arguments={}, domain=domain)
    monkeypatch.setattr(tasks, "TASKS", (short,))
    monkeypatch.setattr(command, "TASKS", (short,))
    monkeypatch.setattr(command, "BUILD", build)
    monkeypatch.setattr(sweep, "KEPT", tmp_path / "kept.json")
    arguments = ["--examples", "20" if code else "2", "--seed", "1"]
    told = CliRunner().invoke(command.main, arguments, standalone_mode=False)
    assert told.return_value == code
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    if code:
        assert record["red"]["shape"]["seq_len"] == 9
        assert "the smallest: dim 2, hidden 1, layers 1, heads 1" in told.output
        assert sweep.kept_for(short, sweep.KEPT)[0].shape.seq_len == 9
    else:
        assert record["red"] is None and len(record["proved"]) == 2


def test_a_property_of_named_configurations_alone_is_refused():
    told = CliRunner().invoke(command.main, ["kv.in_range"])
    assert told.exit_code == 2
    assert told.stderr == "error: none of these properties leaves its configuration open\n"
