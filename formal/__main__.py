"""``python -m formal``: list the properties, prove them."""

import os
import sys

import click
from rich.console import Console

from design.cli import Cli
from formal import report
from formal.runner import BUILD, Runner
from formal.tasks import TASKS, select
from formal.tools import warm_up


def _console() -> Console:
    # Without a terminal rich would wrap at 80 columns and cut names in logs.
    return Console(width=None if sys.stdout.isatty() else 120)


@click.group(cls=Cli)
def main() -> None:
    """Proofs about the decoder, unbounded unless said, each with its cover and its planted bug."""


@main.command("list")
def list_tasks() -> None:
    """Show the table of properties."""
    report.print_tasks(_console(), TASKS)


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--config", help="Prove for this configuration only.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="number of cores",
    help="Properties proved at a time.",
)
@click.option("--engine", help="Use this engine in place of each property's own.")
@click.option("--no-cache", is_flag=True, help="Ask the engines even what was answered before.")
@click.option("--canaries", is_flag=True, help="Only plant the bugs, and show what catches them.")
def prove(
    ids: tuple[str, ...],
    config: str | None,
    jobs: int,
    engine: str | None,
    no_cache: bool,
    canaries: bool,
) -> int:
    """Prove the properties IDS (or the beginning of their ids); all when none is named.

    Exit code 0 only if each is proved, its cover reached and its planted bug caught; 1 otherwise.
    """
    pairs = select(ids, config)
    runner = Runner(build=BUILD, engine=engine, cache=not no_cache, canaries_only=canaries)
    for task, _ in pairs:
        runner.engine_for(task).versions()  # an engine that is not there is told before any work
    console = _console()
    warm_up(lambda text: click.echo(text, err=True))

    order = {(task.id, name): index for index, (task, name) in enumerate(pairs)}
    results = []
    for result in runner.run_all(pairs, jobs):
        report.tell(console, result)
        results.append(result)
    results.sort(key=lambda result: order[result.task.id, result.config])

    if canaries:
        report.print_canaries(console, results)
    else:
        report.print_results(console, results)
        report.write_results(BUILD / "results.json", results)
    red = sum(result.status != "PASS" for result in results)
    console.print(f"{len(results) - red} of {len(results)} properties hold" + ", RED" * bool(red))
    return 1 if red else 0


if __name__ == "__main__":
    main()
