"""Proofs on a farm: the same verdict, byte for byte, however they are spread and who is killed."""

import dataclasses
import multiprocessing
import os
import random
import signal
import threading

import pytest

from formal import spread
from formal.report.canonical import canonical, digest
from formal.runner import Result, Runner
from formal.tasks import select
from tools.farm import named

PAIRS = select([f"requests.silent.{unit}" for unit in ("rope", "rmsnorm", "reciprocals")], "nano")


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> list[Result]:
    """The results without a farm."""
    return list(Runner(build=tmp_path_factory.mktemp("here")).run_all(PAIRS, 2))


def kill_some(times: int, stopped: threading.Event, killed: list[int]) -> None:
    """Kill workers at random."""
    source = random.Random(1)
    while len(killed) < times and not stopped.wait(0.5 + source.random()):
        if workers := multiprocessing.active_children():
            worker = source.choice(workers).pid
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)


@pytest.mark.parametrize(("jobs", "kills"), [(1, 0), (3, 2)])
def test_the_verdict_does_not_depend_on_the_farm(here, tmp_path, jobs, kills):
    stopped, killed = threading.Event(), []
    killer = threading.Thread(target=kill_some, args=(kills, stopped, killed))
    killer.start()
    try:
        runner = Runner(build=tmp_path)
        results = list(spread.prove_all(named("local", jobs), runner, PAIRS))
    finally:
        stopped.set()
        killer.join()
    assert len(killed) == kills
    assert canonical(results, []) == canonical(here, [])
    assert {result.status for result in results} == {"PASS"}


def test_a_worker_with_other_sources_proves_nothing(tmp_path):
    task, config = PAIRS[0]
    order = spread.Order(task.id, config, "other", {"build": tmp_path})
    answer = spread.prove(order)
    assert "other sources" in answer["detail"] and not list(tmp_path.iterdir())


def test_the_digest_is_of_the_verdict_alone(here):
    slower = [
        dataclasses.replace(result, proof=dataclasses.replace(result.proof, seconds=1e3))
        for result in reversed(here)
    ]
    assert digest(slower, []) == digest(here, [])
    red = dataclasses.replace(here[0], detail="violated")
    assert len({digest(here, []), digest([red, *here[1:]], []), digest(here, ["one"])}) == 3
