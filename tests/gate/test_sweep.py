"""Random configurations are drawn from the domain, and refuting ones are shrunk."""

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
    """One build folder for all tests, so that shared proofs run only once."""
    return tmp_path_factory.mktemp("sweep")


def swept(task, build, **options):
    reported = []
    runner = Runner(build=build, proofs_only=True)
    defaults = {"examples": 3, "number": 1, "report": lambda config, _: reported.append(config)}
    return sweep.sweep(task, runner, **(defaults | options)), reported


def test_what_holds_is_proved_for_all_that_are_drawn(build):
    done, reported = swept(toy(), build)
    assert done.red is None and not done.undecided
    assert done.proved == reported and len({config.shape for config in reported}) > 1


def test_what_does_not_hold_everywhere_is_shrunk_to_the_smallest(build):
    short = toy(harness=toys.only_short, arguments={})
    done, _ = swept(short, build, examples=20)
    assert done.red.shape.seq_len == 9  # the first that is too long
    assert done.red.shape.kv_heads == done.red.shape.heads == done.red.geometry.lanes == 1
    assert done.result.detail.startswith("violated: ")


def test_only_the_domain_is_drawn_from(build):
    within = Domain("short ones", lambda config: config.shape.seq_len <= 8)
    short = toy(harness=toys.only_short, arguments={}, domain=within)
    done, reported = swept(short, build, examples=5)
    assert done.red is None
    assert all(config.shape.seq_len <= 8 for config in reported)


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
    again, reported = swept(short, build, examples=20, kept=kept)
    assert kept == reported == [again.red] == [done.red]
    # After a fix, it is proved for the kept configuration, and then for drawn ones.
    mended, reported = swept(toy(), build, examples=2, kept=kept)
    assert mended.red is None and reported[0] == kept[0] and len(reported) == 3


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
    answer = CliRunner().invoke(command.main, ["--named"], standalone_mode=False)
    assert answer.return_value == 1
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    # nano's context is short enough, the next one is not.
    assert [config["name"] for config in record["proved"]] == ["nano"]
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
    answer = CliRunner().invoke(command.main, arguments, standalone_mode=False)
    assert answer.return_value == code
    (record,) = json.loads((build / "sweep.json").read_text())["results"]
    if code:
        assert record["red"]["shape"]["seq_len"] == 9
        assert "the smallest: dim 2, hidden 1, layers 1, heads 1" in answer.output
        assert sweep.kept_for(short, sweep.KEPT)[0].shape.seq_len == 9
    else:
        assert record["red"] is None and len(record["proved"]) == 2


def test_a_property_of_named_configurations_alone_is_refused():
    answer = CliRunner().invoke(command.main, ["kv.in_range"])
    assert answer.exit_code == 2
    expected = "error: all of these properties are for named configurations only\n"
    assert answer.stderr == expected
