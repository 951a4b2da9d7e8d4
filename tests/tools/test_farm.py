"""The same answers from any farm, also when workers are killed."""

import contextlib
import os
import random
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.tools import one_node, working
from tools.errors import BadInput
from tools.farm import FarmError, named, spread

ITEMS = list(range(24))
SQUARES = {item: item * item for item in ITEMS}


def installed(package: str) -> None:
    pytest.importorskip(package, reason="no farm group")


def test_every_item_has_its_answer():
    for jobs in (1, 3):
        assert dict(spread(named("local", jobs), working.squared, ITEMS)) == SQUARES
    assert not list(spread(named("local", 2), working.squared, []))


def test_an_exception_is_that_of_the_function():
    with pytest.raises(ZeroDivisionError):
        dict(spread(named("local", 1), working.divided, [1, 0]))


def test_workers_that_die_again_and_again_are_an_error(monkeypatch):
    monkeypatch.setattr("tools.farm.farm.MOST_BARREN", 1)
    with pytest.raises(FarmError, match="not done: 7"):
        dict(spread(named("local", 1), working.die, [7]))


def storm(folder: Path, stopped: threading.Event, kills: list[int]) -> None:
    """Kill workers, which leave their numbers in `folder`, at random."""
    source = random.Random(0)
    while not stopped.is_set():
        time.sleep(0.02)
        if workers := list(folder.iterdir()):
            worker = source.choice(workers)
            worker.unlink(missing_ok=True)
            try:
                os.kill(int(worker.name), signal.SIGKILL)
                kills.append(int(worker.name))
            except ProcessLookupError:
                continue
        if len(kills) >= 3:
            return


def stormed(farm, folder: Path) -> dict[tuple[str, int], int]:
    """The answers under a storm."""
    stopped, kills = threading.Event(), []
    killer = threading.Thread(target=storm, args=(folder, stopped, kills))
    killer.start()
    try:
        answers = dict(spread(farm, working.slowly_squared, [(str(folder), n) for n in ITEMS]))
    finally:
        stopped.set()
        killer.join()
    assert kills
    return {item: answer for (_, item), answer in answers.items()}


def test_killed_workers_change_nothing(tmp_path):
    assert stormed(named("local", 2), tmp_path) == SQUARES


def test_a_cluster_of_dask_answers_the_same(tmp_path):
    installed("distributed")
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        farm = named(f"dask={cluster.scheduler_address}", 2)
        assert dict(spread(farm, working.squared, ITEMS)) == SQUARES
        assert stormed(farm, tmp_path) == SQUARES


def test_jobs_of_submitit_answer_the_same(monkeypatch):
    """Of a Slurm of one node where it is installed, else of processes."""
    installed("submitit")
    from tools.farm.slurm import SlurmFarm

    # Not tmp_path: names of sockets must be short.
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        if one_node.is_installed():
            environment = stack.enter_context(one_node.one_node(folder))
            for variable in ("PATH", "SLURM_CONF"):
                monkeypatch.setenv(variable, environment[variable])
        else:
            monkeypatch.setattr("submitit.SlurmExecutor.affinity", lambda: -1)
        numbers = folder / "numbers"
        numbers.mkdir()
        farm = SlurmFarm(2, folder / "%j")
        assert dict(spread(farm, working.squared, ITEMS)) == SQUARES
        assert stormed(farm, numbers) == SQUARES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cloud", "'cloud' is none of local, slurm, dask=ADDRESS"),
        ("dask", "'dask' is none of"),
        ("dask=", "'dask=' is none of"),
    ],
)
def test_another_farm_is_bad_input(name, message):
    with pytest.raises(BadInput, match=message):
        named(name, 1)


def test_an_address_without_a_scheduler_is_bad_input(monkeypatch):
    installed("distributed")
    monkeypatch.setattr("tools.farm.dask.PATIENCE", 1)
    with pytest.raises(BadInput, match="no scheduler answers"):
        list(spread(named("dask=tcp://127.0.0.1:9", 1), working.squared, [1]))


@pytest.mark.parametrize(("name", "module"), [("slurm", "slurm"), ("dask=x", "dask")])
def test_a_missing_package_is_named(monkeypatch, name, module):
    package = {"slurm": "submitit", "dask": "distributed"}[module]
    monkeypatch.setattr(f"tools.farm.{module}.{package}", None)
    with pytest.raises(BadInput, match=f"--farm needs {package}: pip install --group farm"):
        named(name, 1)
