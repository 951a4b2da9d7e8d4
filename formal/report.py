"""What the runner tells: a line per property as it is decided, a table, and results.json."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from design.files import write_atomically
from formal.outcome import Outcome
from formal.runner import Result
from formal.tasks import Task


def as_json(result: Result) -> dict[str, Any]:
    """The record of one property in results.json."""
    task = result.task

    def told(outcome: Outcome | None) -> dict[str, Any] | None:
        if outcome is None:
            return None
        return {
            "status": outcome.status,
            "seconds": outcome.seconds,
            "names": list(outcome.named),
            "cycles": outcome.cycles,
            "trace": outcome.trace,
        }

    canary = told(result.canary)
    return {
        "id": task.id,
        "family": task.family,
        "theorem": task.theorem.sentence(),
        "config": result.config,
        "engine": result.engine,
        "mode": task.mode,
        "reason": task.reason,
        "depth": task.depth,
        "status": result.status,
        "detail": result.detail,
        "result": result.proof.status if result.proof else None,
        "seconds": result.seconds,
        "obligations": result.obligations,
        "proof": told(result.proof),
        "cover": told(result.cover),
        "canary": canary and {"name": task.canary.name, **canary},
    }


def write_results(path: Path, results: list[Result]) -> None:
    """Write results.json, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [as_json(result) for result in results]
    write_atomically(path, json.dumps({"results": records}, indent=2) + "\n")


def tell(console: Console, result: Result) -> None:
    """One line; for a red property also its theorem, what is wrong and where the trace is."""
    mark = "[green]PASS[/]" if result.status == "PASS" else "[bold red]RED [/]"
    name = f"{result.task.id} {result.config}"
    console.print(f"{mark} {name:<44} {result.engine:<10} {result.seconds:6.1f} s", highlight=False)
    if result.status == "PASS":
        return
    console.print(f"     theorem: {result.task.theorem.sentence()}", highlight=False)
    console.print(f"     {result.detail}", highlight=False)
    for outcome in (result.proof, result.cover):
        if outcome and outcome.trace:
            console.print(f"     trace: {outcome.trace}", highlight=False, soft_wrap=True)


def _run(outcome: Outcome | None, good: str) -> str:
    if outcome is None:
        return "-"
    color = "green" if outcome.status == good else "red"
    length = f" {outcome.cycles}" if outcome.cycles and good != "PROVED" else ""
    return f"[{color}]{outcome.status}{length}[/]"


def print_results(console: Console, results: list[Result]) -> None:
    """The table at the end."""
    table = Table(title="Properties", title_justify="left")
    for column in ("", "property", "config", "engine", "mode", "claims", "cover", "bug caught"):
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
            str(result.obligations),
            _run(result.cover, "PASS"),
            _run(result.canary, "FAIL"),
            f"{result.seconds:.1f}",
        )
    console.print(table)


def print_canaries(console: Console, results: list[Result]) -> None:
    """Which bug was planted for which property, what caught it, and after how many cycles."""
    table = Table(title="Planted bugs", title_justify="left")
    for column in ("", "property", "config", "bug", "caught by"):
        table.add_column(column, overflow="fold")
    table.add_column("cycles", justify="right")
    for result in results:
        canary = result.canary
        table.add_row(
            "[green]caught[/]" if result.status == "PASS" else "[bold red]MISSED[/]",
            result.task.id,
            result.config,
            result.task.canary.name,
            ", ".join(canary.named) if canary else "-",
            str(canary.cycles) if canary else "-",
        )
    console.print(table)


def print_tasks(console: Console, tasks: tuple[Task, ...]) -> None:
    """The table of tasks, with their theorems."""
    table = Table(title="Properties", title_justify="left")
    for column in ("property", "theorem", "configurations", "engine", "mode"):
        table.add_column(column, overflow="fold")
    for task in tasks:
        mode = f"{task.mode} {task.depth}"
        table.add_row(task.id, task.theorem.sentence(), ", ".join(task.configs), task.engine, mode)
    console.print(table)
