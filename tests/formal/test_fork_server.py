"""Programs run by the fork server behave as if started directly."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from formal.engines.programs import launch


def test_starters_are_made_once():
    """A file that was just written may be busy while another thread starts a program."""
    (first, *_), (second, *_) = (launch.environment()["PATH"].split(os.pathsep) for _ in range(2))
    assert first == second
    names = {path.name for path in Path(first).iterdir()}
    assert {"sby", "yosys", "yosys-smtbmc", "yosys-witness", "bitwuzla", "boolector"} <= names


def test_a_script_runs_in_the_folder_of_the_client(tmp_path):
    pytest.importorskip("pyosys")
    (tmp_path / "job.ys").write_text("tee -q -o said.txt log here\n")
    subprocess.run(["yosys", "-q", "job.ys"], cwd=tmp_path, env=launch.environment(), check=True)
    assert (tmp_path / "said.txt").read_text() == "here\n"


def test_a_solver_answers_on_its_output_what_its_input_asks():
    pytest.importorskip("bitwuzla")
    commands = "(set-logic QF_BV)(declare-const x (_ BitVec 8))\n(assert (= x #x2a))\n(check-sat)\n"
    answer = subprocess.run(
        ["bitwuzla", "--lang", "smt2"],
        input=commands + "(get-value (x))\n(exit)\n",
        env=launch.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == ["sat", "((x", "#b00101010))"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["sby", "--no-such-option"], 2, "unrecognized arguments"),
        (["sby", "missing.sby"], 1, "missing.sby"),
        (["yosys", "-q", "missing.ys"], 1, ""),
    ],
)
def test_failures_have_an_exit_code_and_a_message(tmp_path, command, code, message):
    if command[0] == "yosys":
        pytest.importorskip("pyosys")
    failed = subprocess.run(
        command,
        cwd=tmp_path,
        env=launch.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == code
    assert message in failed.stderr


def test_a_program_ends_with_its_client_and_what_it_started_with_it(tmp_path):
    """Like sby, which kills a solver at its time limit."""
    # smtbmc runs a solver that never answers, and that writes its process id.
    solver = tmp_path / "slow"
    solver.write_text("#!/bin/sh\necho $$ >> started\nexec sleep 100\n")
    solver.chmod(0o755)
    (tmp_path / "bitwuzla").symlink_to(solver)
    environment = launch.environment()
    path = os.pathsep.join([str(tmp_path), environment["PATH"]])
    (tmp_path / "model.smt2").write_text("; yosys-smt2-module top\n; yosys-smt2-topmod top\n")
    client = subprocess.Popen(
        ["yosys-smtbmc", "-s", "bitwuzla", "model.smt2"],
        cwd=tmp_path,
        env={**environment, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = tmp_path / "started"
    numbers = _wait_for(lambda: started.read_text().split() if started.exists() else [])
    client.terminate()
    client.wait()
    _wait_for(lambda: not any(_lives(int(number)) for number in numbers))


SPIN = "import time\nwhile True: time.monotonic()"


@pytest.mark.parametrize(
    ("script", "late"), [(SPIN, True), ("import time; time.sleep(2)", False), ("1 / 0", None)]
)
def test_a_program_gets_so_many_seconds_of_the_processor_and_not_by_the_clock(
    tmp_path, script, late
):
    command = ["limited", sys.executable, "-c", script]
    ends = {True: subprocess.TimeoutExpired, None: subprocess.CalledProcessError}
    expected = pytest.raises(ends[late]) if late in ends else contextlib.nullcontext()
    with expected:
        launch.run(command, tmp_path, 1, stderr=subprocess.DEVNULL)
    assert (tmp_path / "late").exists() == bool(late)


def test_a_program_gets_all_of_its_seconds_between_short_sleeps(tmp_path):
    """A kernel that counts in ticks may miss it."""
    script = """
import time
while True:
    begin = time.monotonic()
    while time.monotonic() - begin < 0.003: pass
    time.sleep(0.001)
    open("spent", "w").write(str(time.process_time()))
"""
    with pytest.raises(subprocess.TimeoutExpired):
        launch.run(["limited", sys.executable, "-c", script], tmp_path, 1)
    message = (tmp_path / "spent").read_text()
    assert not message or 0.8 < float(message) < 1.8


def test_a_program_of_no_python_ends_with_its_client(tmp_path):
    environment = launch.environment()
    script = f"import os; print(os.getpid(), flush=True)\n{SPIN}"
    client = subprocess.Popen(
        ["limited", sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE
    )
    number = int(client.stdout.readline())
    client.terminate()
    client.wait()
    client.stdout.close()
    _wait_for(lambda: not _lives(number))


def test_the_server_ends_with_its_owner():
    script = (
        "import os; from formal.engines.programs import launch\n"
        "print(launch.environment()['VERIDECODE_FORK_SERVER'], flush=True)\n"
        "os._exit(0)  # and cleans up nothing"
    )
    owner = subprocess.run(
        [sys.executable, "-c", script], cwd=launch.ROOT, capture_output=True, text=True, check=True
    )
    _wait_for(lambda: not _answers(owner.stdout.strip()))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for(what, patience: float = 20.0):
    """The result of `what`, once it is true."""
    end = time.monotonic() + patience
    while not (value := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value
