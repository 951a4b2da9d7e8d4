"""``python -m design`` as a user runs it: the list, the export, and its errors."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from design.__main__ import main
from spec.config import CONFIGS
from tools.cli import Cli
from tools.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments) -> str:
    """The error message of a refused command."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize("command", [[], ["export"]])
def test_help(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_list_names_every_configuration():
    result = run("--list")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[1] for row in rows if len(row) > 1 and row[1] in CONFIGS] == list(CONFIGS)


def test_as_a_module():
    command = [sys.executable, "-m", "design"]
    result = subprocess.run(
        [*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("Usage: python -m design ")
    bad = [*command, "export", "--config", "micro", "-o", "/nowhere/x.v"]
    result = subprocess.run(bad, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and len(result.stderr.splitlines()) == 1


def test_export_is_the_same_from_run_to_run(tmp_path):
    paths = [tmp_path / name for name in ("first.v", "second.v")]
    for path in paths:
        result = run("export", "--config", "nano", "--lanes", "2", "-o", path)
        assert result.exit_code == 0, result.output
        assert result.stdout == ""
    text = paths[0].read_text()
    assert text == paths[1].read_text()
    assert text.startswith("// veridecode nano: 3 multipliers, 2 in the array\n")
    assert "\nmodule veridecode(" in text
    assert "trace" not in text.split("\nmodule veridecode(")[1].split(");")[0]
    assert str(ROOT) not in text
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_what_is_refused(tmp_path):
    out = tmp_path / "x.v"
    assert "configuration 'micro' is not one of nano," in refused(
        "export", "--config", "micro", "-o", out
    )
    on_chip = ("--cache", "on-chip")
    sentence = refused("export", "--config", "llama2_70b", *on_chip, "-o", out)
    assert "Mbit of KV cache on the chip" in sentence and "--cache external" in sentence
    assert "'flash' is not one of" in refused(
        "export", "--config", "nano", "--cache", "flash", "-o", out
    )
    assert "'3' is not one of" in refused("export", "--config", "nano", "--lanes", "3", "-o", out)
    assert "'spline' is not" in refused("export", "--config", "nano", "--rope", "spline", "-o", out)
    assert " is a folder, not a file" in refused("export", "--config", "nano", "-o", tmp_path)
    nowhere = tmp_path / "no" / "x.v"
    assert " does not exist" in refused("export", "--config", "nano", "-o", nowhere)
    assert "name either a MODEL or --config" in refused("export", "-o", out)
    assert "No such command" in refused("prove")
    assert "No such option" in refused("export", "--fast")
    assert not list(tmp_path.iterdir())


# Errors of the operating system.


def started(*arguments: str, **redirections) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "design", *arguments]
    return subprocess.run(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False, **redirections
    )


def test_a_closed_output_is_one_sentence():
    result = started("--list", preexec_fn=lambda: os.close(1))
    assert (result.returncode, result.stderr) == (2, "error: standard output is closed\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_a_full_disk_is_one_sentence(buffered):
    with open("/dev/full", "w") as full:
        result = started("--list", stdout=full, env=os.environ | buffered)
    expected = "error: standard output: No space left on device\n"
    assert (result.returncode, result.stderr) == (2, expected)


def test_a_closed_pipe_prints_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    result = started("--list", stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate 9 PiB"), "not enough memory (Unable to allocate 9 PiB)"),
        (MemoryError(), "not enough memory"),
        (OSError(28, "No space left"), " (No space left)"),
        (OSError(28, "No space left", "some.file"), "some.file: No space left"),
        (BadInput("file \x1b[31m.bin: two\nlines"), "file \\x1b[31m.bin: two lines"),
    ],
)
def test_errors_are_one_sentence(error, message):
    @click.command(cls=Cli, invoke_without_command=True)
    def failing():
        raise error

    result = CliRunner().invoke(failing, [])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and line.endswith(message)


def test_interrupts_are_one_word():
    @click.command(cls=Cli, invoke_without_command=True)
    def failing():
        raise KeyboardInterrupt

    result = CliRunner().invoke(failing, [])
    assert (result.exit_code, result.stderr.split()) == (130, ["aborted"])
