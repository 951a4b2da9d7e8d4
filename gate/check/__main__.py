"""``nox -s check``: proofs and tests side by side, of what an edit touches, until the first red."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from gate.check import tests
from gate.check.changes import Changes, since
from gate.check.history import FOLDER, History
from tools import evidence
from tools.cli import CliCommand
from tools.console import make_console
from tools.watching import run_on_save

#: How often the lanes are looked at, in seconds.
_LOOK = 0.05
#: How the lanes begin to report a red proof, and a failed test.
_OBJECTION = re.compile(r"RED |=+ (FAILURES|ERRORS) =+$")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+\.py)")


@dataclass
class Lane:
    """One of the programs that run side by side; what it prints is in `log`."""

    name: str
    process: subprocess.Popen
    log: Path

    @staticmethod
    def start(name: str, command: Sequence[str], said: str = "") -> "Lane":
        """Start `command` in a process group of its own, with `said` on its standard input."""
        log = FOLDER / f"{name}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=evidence.ROOT, env=evidence.environment(), text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(said)
        return Lane(name, process, log)

    def end(self) -> None:
        """Kill it, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def lines(self) -> list[str]:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    @property
    def objection(self) -> list[str]:
        """What it has printed about the first red; everything if it never got as far."""
        lines = self.lines
        begins = (n for n, line in enumerate(lines) if _OBJECTION.match(line))
        return lines[next(begins, 0) :]


@click.command(cls=CliCommand)
@click.option(
    "--since", "revision", default="HEAD", show_default=True, metavar="REV",
    help="Check what differs from this revision.",
)  # fmt: skip
@click.option("--watch", is_flag=True, help="Check again after each save, until Ctrl-C.")
def main(revision: str, watch: bool) -> int:
    """Check what was edited: proofs, comparisons and unit tests that depend on it, side by side.

    Those that are likeliest to object come first, and the first objection ends the check, with its
    waveform. Exit code 0 if there is none. It asks the core proofs and a few random cases: before
    a change is accepted, run `nox -s gate`.
    """
    if watch:
        return run_on_save(["-m", "gate.check", "--since", revision])
    # As Ctrl-C, which a shell hides from what it runs in the background: the lanes end, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begin = time.monotonic()
    console = make_console(highlight=False)
    changes = since(revision)
    for path in changes.checked:
        names = ", ".join(changes.outermost(path))
        console.print(f"changed: {path}{f' ({names})' if names else ''}", soft_wrap=True)
    if not changes.checked:
        count = len(changes.functions)
        others = f"; {count} other file{'s differ' * (count > 1) or ' differs'}" * bool(count)
        console.print(f"nothing to check differs from {revision}{others}")
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _lanes(changes) as lanes:
        red = _wait(console, lanes)
    seconds = time.monotonic() - begin
    if red is None:
        for lane in lanes:
            console.print(f"{lane.name}: {lane.lines[-1]}", soft_wrap=True, markup=False)
        console.print(f"[green]green[/] after {seconds:.1f} s; before you merge: nox -s gate")
        return 0
    _remember(red, changes)
    for line in red.objection:
        console.print(line, soft_wrap=True, markup=False)
    log = red.log.relative_to(evidence.ROOT)
    console.print(f"[bold red]RED[/] after {seconds:.1f} s, by the {red.name}; all of it: {log}")
    return 1


def _remember(red: Lane, changes: Changes) -> None:
    """Note which file of tests failed; the lane of proofs notes its own."""
    history = History.read("tests")
    for failed in {match[1] for line in red.lines if (match := _FAILED.match(line))}:
        history.red(failed, changes.checked)
    history.write()


@contextlib.contextmanager
def _lanes(changes: Changes) -> Iterator[list[Lane]]:
    """Proofs and tests, started; killed at the end."""
    files = tests.affected(changes, History.read("tests"))
    said = json.dumps({path: sorted(names) for path, names in changes.functions.items()})
    jobs = max((os.cpu_count() or 1) - 1, 1)
    lanes = [Lane.start("proofs", ["-m", "gate.check.proofs", str(jobs)], said)]
    if files:
        options = ("-x", "-q", "--no-header", "-p", "no:cacheprovider")
        command = [*evidence.PYTEST, *options, "--hypothesis-profile=check", *files]
        lanes.append(Lane.start("tests", command))
    else:
        print("no test depends on the change")
    try:
        yield lanes
    finally:
        for lane in lanes:
            lane.end()


def _wait(console: Console, lanes: Sequence[Lane]) -> Lane | None:
    """The first lane that is red, or None when all have ended green."""

    def shown() -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for lane in lanes:
            last = lane.lines[-1:] or [""]
            table.add_row(lane.name, last[0][: console.width - 10])
        return table

    live = Live(console=console, get_renderable=shown, refresh_per_second=4, transient=True)
    with live if console.is_terminal else contextlib.nullcontext():
        while True:
            ended = [lane for lane in lanes if lane.process.poll() is not None]
            red = next((lane for lane in ended if lane.process.returncode), None)
            if red or len(ended) == len(lanes):
                return red
            time.sleep(_LOOK)


if __name__ == "__main__":
    main()
