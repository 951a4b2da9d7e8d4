"""Every command of README and docs: parsed by the program that it calls, or run if that is cheap.

A nox session is followed to the programs that it starts, with the arguments that it passes on.
"""

import argparse
import importlib
import importlib.util
import itertools
import shlex
import subprocess
import sys
import tomllib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import nox
import nox.registry
import pytest
from click.testing import CliRunner

from docs.reference import COMMANDS, command
from formal.tasks import select
from tests.docs import pages
from tests.test_workflows import WORKFLOWS, jobs
from tools import evidence
from tools.errors import BadInput
from tools.sources import ROOT

#: Commands that are run, without --write: they print something, within a second or two.
CHEAP = {
    ("formal", "list"), ("formal", "table"), ("design", "--list"), ("golden", "inspect"),
    ("mutate", "list"), ("synth", "table"), ("docs", "blocks"),
}  # fmt: skip
#: Programs that are not ours, and who runs what the pages call them with.
OTHERS = {
    "iverilog": "tests/board",
    "vvp": "tests/board",
    "verilator": "tests/board",
    "obj_dir/Vtestbench": "tests/board",
    "uv": "test_ci_runs_the_readme_commands",
    "git": "the tutorial's test, with what git does undone by hand",
}
COLLECTED = {str(each): each for page in pages.PAGES for each in pages.commands(page)}


class Parsed(Exception):
    """Raised in place of what a program does behind the parsing of its arguments."""


class Refused(Exception):
    """A session refuses its arguments."""


class Checker:
    """Checks commands; gathers what pytest is called with, for one call in the end."""

    def __init__(self, noxfile: ModuleType, monkeypatch: pytest.MonkeyPatch):
        self.noxfile = noxfile
        self.monkeypatch = monkeypatch
        self.pytest_calls: dict[tuple[str, ...], None] = {}
        self.ran: set[tuple[str, ...]] = set()

    def check(self, words: Sequence[str]) -> None:
        """Raise an error if the command cannot be run like this."""
        program, *arguments = words
        if program in ("python", "python3"):
            assert arguments[0] == "-m", words
            self.module(arguments[1], arguments[2:])
        elif program == "pytest":
            self.module(program, arguments)
        elif program == "nox":
            self.nox(arguments)
        elif program == "pip":
            self.pip(arguments)
        else:
            assert program in OTHERS, f"an unknown program: {program}"

    def module(self, module: str, arguments: Sequence[str]) -> None:
        """``python -m module arguments``."""
        if module == "pytest":
            kept = (each for each in arguments if not each.startswith(("--record", "--junit")))
            self.pytest_calls[tuple(kept)] = None
        elif module == "venv":
            pass  # test_ci_runs_the_readme_commands
        elif module == "gate.story":
            self.module("sim", ["compare", "--text", "--stats", "figures.json", *arguments])
        elif module == "gate.lint":
            assert not set(arguments) - {"--fix"}  # ruff's own
        elif module in (*COMMANDS, "gate.sweep"):
            self.click(module, list(arguments))
        else:
            self.argparse(module, arguments)

    def click(self, module: str, arguments: list[str]) -> None:
        """Parse all levels of a command line, and run it if it is cheap."""
        group = command(module)
        if (module, *arguments[:1]) in CHEAP:
            printing = [each for each in arguments if each != "--write"]
            if (module, *printing) not in self.ran:
                self.ran.add((module, *printing))
                result = CliRunner().invoke(group, printing)
                assert result.exit_code == 0 and result.stdout, result.output
            return
        try:
            context = parse(group, module, arguments)
        except click.exceptions.Exit:
            return  # --help and the like
        except click.MissingParameter:
            if len(arguments) > 1:
                raise
            return  # only the name of a command
        if ids := context.params.get("ids"):
            select(tuple(ids), context.params.get("config"), "all")

    def argparse(self, module: str, arguments: Sequence[str]) -> None:
        """A module with a parser of argparse."""
        parse_args = argparse.ArgumentParser.parse_args

        def parse_only(parser: argparse.ArgumentParser, *rest: Any) -> None:
            parse_args(parser, *rest)
            raise Parsed

        with self.monkeypatch.context() as patched:
            patched.setattr(argparse.ArgumentParser, "parse_args", parse_only)
            patched.setattr(sys, "argv", [module, *arguments])
            with pytest.raises(Parsed):
                importlib.import_module(module).main()

    def nox(self, arguments: Sequence[str]) -> None:
        """The sessions that nox would run, with what is behind ``--``."""
        at = list(arguments).index("--") if "--" in arguments else len(arguments)
        options, posargs = arguments[:at], list(arguments[at + 1 :])
        names = nox.options.sessions if not options else options[1:]
        assert not options or options[0] == "-s"
        for name in names:
            session = self.session(posargs)
            getattr(self.noxfile, name).func(session)

    def session(self, posargs: list[str]) -> SimpleNamespace:
        """A session that checks what it is asked to run."""

        def run(*words: str, **_: Any) -> None:
            assert words[0] == sys.executable
            if words[1] == "-c":
                return
            self.check(("python", *words[1:]))
            if "--gate" in words:
                (self.noxfile.BUILD / "gate.json").touch()

        def error(why: str) -> None:
            raise Refused(why)

        return SimpleNamespace(posargs=posargs, run=run, error=error, log=lambda text: None)

    def pip(self, arguments: Sequence[str]) -> None:
        """The group or file that pip installs exists."""
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
        assert arguments[0] == "install"
        for option, value in itertools.pairwise(arguments):
            assert option != "--group" or value in groups
            assert option != "-r" or (ROOT / value).is_file()


def parse(group: click.Command, name: str, arguments: list[str]) -> click.Context:
    """The context of the innermost command, with its parameters."""
    context = group.make_context(name, list(arguments))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, below, rest = context.command.resolve_command(context, rest)
        assert name is not None and below is not None
        context = below.make_context(name, rest, parent=context)
    return context


@pytest.fixture
def checker(tmp_path, monkeypatch) -> Iterator[Checker]:
    """A checker with a noxfile whose records are elsewhere, and that fetches nothing."""
    monkeypatch.setattr(evidence, "BUILD", tmp_path)
    monkeypatch.setattr(nox.registry, "_REGISTRY", OrderedDict())  # another test may load it, too
    sessions = list(nox.options.sessions or ())
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec and spec.loader
    noxfile = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(noxfile)
    monkeypatch.setattr(noxfile, "fetch", lambda wheel: None)
    yield Checker(noxfile, monkeypatch)
    nox.options.sessions = sessions


def test_commands_are_found():
    assert len(COLLECTED) > 100
    assert {each.words[0] for each in COLLECTED.values()} >= {"python", "nox", "pytest", "pip"}


def test_every_command_of_the_pages_is_understood(checker: Checker):
    wrong = []
    for name, each in COLLECTED.items():
        try:
            checker.check(each.words)
        except (click.ClickException, BadInput, Refused, AssertionError, AttributeError) as error:
            wrong.append(f"{name}\n    {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert {first for first, *_ in checker.ran} >= {module for module, _ in CHEAP}

    given = [each.replace("_UNIT", "_rope") for call in checker.pytest_calls for each in call]
    files = {each for each in given if each.startswith("tests/")}
    assert [each for each in sorted(files) if not (ROOT / each).exists()] == []
    others = [each for each in given if each not in files]
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *others, "tests/docs"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert collected.returncode == 0, collected.stdout + collected.stderr


def steps() -> Iterator[tuple[str, ...]]:
    """The commands of the workflows, for each value of a matrix, with an example of a variable."""
    for path in WORKFLOWS:
        for job in jobs(path).values():
            sessions = job.get("strategy", {}).get("matrix", {}).get("session", [""])
            for step in job["steps"]:
                text = step.get("run", "").replace('"$BASE"', "HEAD").replace(".venv/bin/", "")
                for session in sessions if "matrix.session" in text else [""]:
                    one = text.replace("${{ matrix.session }}", session)
                    yield from (tuple(shlex.split(part)) for part in one.split("&&") if part)


def test_every_command_of_the_workflows_is_understood(checker: Checker):
    checked, written = [], set()
    for words in steps():
        if words[0] in ("test", "gh", "cat"):  # programs of the runner
            written.update(word for word in words if word.startswith("build/"))
            continue
        checker.check(words)
        checked.append(shlex.join(words))
    assert {"nox -s docs", "nox -s report", "nox -s gate -- --profile ci"} <= set(checked)
    # What is shown there is written here.
    assert all(any(name in command for command in checked) for name in written)


def test_every_option_of_the_pages_exists():
    known: dict[str, list[click.Parameter]] = {}
    for module in (*COMMANDS, "gate.sweep"):
        for each in _commands(command(module)):
            for parameter in each.params:
                for name in (*parameter.opts, *parameter.secondary_opts):
                    known.setdefault(name, []).append(parameter)
    for page in pages.PAGES:
        for each in pages.options(page):
            for name, value in zip(each.words, (*each.words[1:], "--"), strict=True):
                # These two are of click, and of the noxfile.
                if name.startswith("--") and name not in ("--help", "--profile"):
                    assert name in known, each
                    assert value.startswith("--") or any(
                        _takes(option, value) for option in known[name]
                    ), each


def _commands(group: click.Command) -> Iterator[click.Command]:
    yield group
    for below in getattr(group, "commands", {}).values():
        yield from _commands(below)


def _takes(option: click.Parameter, value: str) -> bool:
    try:
        option.type.convert(value, option, None)
    except (click.ClickException, BadInput):
        return False
    return True


def test_python_blocks_run():
    ran: list[str] = []
    for page in pages.PAGES:
        for block in pages.blocks(page, "python"):
            exec(compile(block, str(page), "exec"), {})
            ran.append(block)
    assert ran or not any("```python" in page.read_text("utf-8") for page in pages.PAGES)


@pytest.mark.parametrize(
    "words",
    [
        "python -m sim compare --lane 8",
        "python -m formal prove kv.nothing",
        "nox -s nothing",
        "nox -s gate -- --profile daily",
        "nox -s synth -- --devices ecp5",
        "pip install --group nothing",
        "python -m tests.golden.damage --folder 3",
    ],
)
def test_what_is_not_understood_is_seen(checker: Checker, words: str):
    wrong: tuple[type[BaseException], ...]
    wrong = (click.ClickException, BadInput, Refused, AssertionError, AttributeError, SystemExit)
    with pytest.raises(wrong):
        checker.check(words.split())
