"""Console output of the runner: a line per property, details of failures, and tables."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from formal.engines.outcome import Outcome
from formal.report import statements, waves
from formal.runner import Result, Runner
from formal.tasks.task import Task
from tools.save_files import VIEWERS
from tools.sources import ROOT


def print_result(console: Console, result: Result, runner: Runner) -> None:
    """One line; for a red property also the theorem, the error, and the trace, if any."""
    mark = "[green]PASS[/]" if result.status == "PASS" else "[bold red]RED [/]"
    name = f"{result.task.id} {result.config}"
    time = "cached" if result.cached and result.runs else f"{result.seconds:.1f} s"
    console.print(f"{mark} {name:<44} {result.engine:<10} {time:>8}", highlight=False)
    if result.status == "PASS":
        if runner.waves and result.bug:
            _show(console, result, result.bug, runner)
        return
    console.print(f"     theorem: {escape(result.task.theorem.sentence())}", highlight=False)
    console.print(f"     {escape(result.detail)}", highlight=False)
    for outcome in (result.proof, result.confirmation, result.cover):
        if outcome:
            _show(console, result, outcome, runner)


def _show(console: Console, result: Result, outcome: Outcome, runner: Runner) -> None:
    """The sentences of the claims that `outcome` names, and its trace."""
    if outcome.status == "PASS":
        return
    task = result.task
    model = task.harness(runner.configs[result.config], **task.arguments)
    claims = [
        statement
        for statement in (statements.statements(model) if outcome.named else ())
        if statement.kind == "assert" and statement.name in outcome.named
    ]
    for claim in claims:
        line = f"     {claim.name}: {escape(claim.text)} ({statements.place(claim)})"
        console.print(line, highlight=False, soft_wrap=True)
    if not outcome.trace:
        return
    trace = Path(outcome.trace)
    files = [("trace", trace)]
    if trace.suffix == ".vcd":  # the traces of some engines are text
        signals = waves.involved(waves.read(trace), statements.signals(model, claims))
        console.print("     the last cycles of the signals involved:", highlight=False)
        console.print(Padding(waves.last_cycles(signals), (0, 0, 0, 4)))
        files += [(VIEWERS[each.suffix], each) for each in waves.write_save_files(trace, signals)]
    for label, path in files:
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        console.print(f"     {label}: {shown}", highlight=False, soft_wrap=True)


def _run(outcome: Outcome | None, good: str, *, length: bool = True) -> str:
    if outcome is None:
        return "-"
    color = "green" if outcome.status == good else "red"
    cycles = f" {outcome.cycles}" if length and outcome.cycles else ""
    return f"[{color}]{outcome.status}{cycles}[/]"


def print_results(console: Console, results: list[Result], missing: list[str]) -> None:
    """The table at the end, reasons for missing second engines, and missing properties."""
    table = Table(title="Properties", title_justify="left")
    columns = ("", "property", "config", "engine", "mode", "confirmed by")
    for column in columns:
        table.add_column(column, overflow="fold")
    for column in ("claims", "assumed"):
        table.add_column(column, justify="right")
    for column in ("cover", "bug caught"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    for result in results:
        task = result.task
        table.add_row(
            "[green]ok[/]" if result.status == "PASS" else "[bold red]RED[/]",
            task.id,
            result.config,
            result.engine,
            f"{task.mode} {task.depth}",
            result.confirmed_by or "-",
            str(result.obligations),
            str(len(result.suppositions)),
            _run(result.cover, "PASS"),
            _run(result.bug, "FAIL"),
            f"{result.seconds:.1f}",
        )
    console.print(table)
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.unconfirmed:
            reasons.setdefault(result.unconfirmed, []).append(f"{result.task.id} {result.config}")
    for reason, names in reasons.items():
        console.print(f"unconfirmed ({escape(reason)}): {', '.join(names)}", highlight=False)
    for sentence in missing:
        console.print(f"[bold red]MISSING[/] {escape(sentence)}", highlight=False)


def verdict(results: Sequence[Result], missing: Sequence[str]) -> str:
    """The last line: how many properties hold, how many of them without a second engine, and how
    many of these because the second engine ran out of time."""
    red = sum(result.status != "PASS" for result in results)
    alone = sum(bool(result.unconfirmed) for result in results)
    late = sum(result.late for result in results)
    return (
        f"{len(results) - red} of {len(results)} properties hold"
        + f", {alone} without a second engine" * bool(alone)
        + f", {late} of these out of time" * bool(late)
        + f", {len(missing)} missing" * bool(missing)
        + ", RED" * bool(red)
    )


def print_bugs(console: Console, results: list[Result]) -> None:
    """The table of planted bugs: property, bug, the claims that caught it, and cycles."""
    table = Table(title="Planted bugs", title_justify="left")
    for column in ("", "property", "config", "bug", "caught by"):
        table.add_column(column, overflow="fold")
    table.add_column("cycles", justify="right")
    for result in results:
        bug = result.bug
        table.add_row(
            "[green]caught[/]" if result.status == "PASS" else "[bold red]MISSED[/]",
            result.task.id,
            result.config,
            result.task.bug.name,
            ", ".join(bug.named) if bug else "-",
            str(bug.cycles) if bug and bug.cycles else "-",
        )
    console.print(table)


def print_tasks(console: Console, tasks: tuple[Task, ...]) -> None:
    """The table of tasks, with their theorems."""
    table = Table(title="Properties", title_justify="left")
    for column in ("property", "theorem", "configurations", "engine", "mode"):
        # Ids are not wrapped, so that they can be copied.
        table.add_column(column, overflow="fold", no_wrap=column == "property")
    for task in tasks:
        mode = f"{task.mode} {task.depth}"
        core = ", ".join(task.configs) or "with --all only"
        table.add_row(task.id, task.theorem.sentence(), core, task.engine, mode)
    console.print(table)
