"""``python -m formal``: list the properties, explain them, prove them, at any shape."""

import os
import sys
from dataclasses import replace

import click
from rich.console import Console

from design.cli import Cli
from design.config import CONFIGS, Config
from formal import missing, report, results
from formal.explain import explain as explain_task
from formal.live import Board
from formal.runner import BUILD, Result, Runner
from formal.tasks import TASKS, select
from formal.tools import warm_up

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="number of cores",
    help="Properties proved at a time.",
)


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
@click.argument("ids", nargs=-1, required=True)
def explain(ids: tuple[str, ...]) -> None:
    """Tell all about the properties IDS: assumptions, claims, engines, bound, planted bug."""
    console = _console()
    tasks = {task.id: task for task, _ in select(ids, None)}
    for number, task in enumerate(tasks.values()):
        console.print("\n" * bool(number), end="")
        explain_task(console, task, Runner())


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--config", help="Prove for this configuration only.")
@jobs_option
@click.option("--engine", help="Use this engine in place of each property's own.")
@click.option("--no-cache", is_flag=True, help="Ask the engines even what was answered before.")
@click.option("--canaries", is_flag=True, help="Only plant the bugs, and show what catches them.")
@click.option("--waves", is_flag=True, help="With --canaries: show what a planted bug does.")
def prove(
    ids: tuple[str, ...],
    config: str | None,
    jobs: int,
    engine: str | None,
    no_cache: bool,
    canaries: bool,
    waves: bool,
) -> int:
    """Prove the properties IDS (or the beginning of their ids); all when none is named.

    Exit code 0 only if each is proved, confirmed by a second engine or told why not, its cover
    reached and its planted bug caught, and none is missing; 1 otherwise.
    """
    if waves and not canaries:
        raise click.UsageError("--waves shows planted bugs: it goes with --canaries")
    pairs = select(ids, config)
    console = _console()
    board = Board(console, len(pairs))
    runner = Runner(
        build=BUILD,
        engine=engine,
        cache=not no_cache,
        canaries_only=canaries,
        waves=waves,
        watch=board.watch,
    )
    for task, _ in pairs:
        # An engine that is not there is told before any work.
        for engine_of_run in runner.engines_for(task).values():
            engine_of_run.versions()
    warm_up(lambda text: click.echo(text, err=True))

    order = {(task.id, name): index for index, (task, name) in enumerate(pairs)}
    decided = []
    with board.shown():
        for result in runner.run_all(pairs, jobs):
            board.count(result.status != "PASS")
            # On a terminal the table at the end tells of the green ones.
            if result.status != "PASS" or waves or not console.is_terminal:
                report.tell(console, result, runner)
            decided.append(result)
    decided.sort(key=lambda result: order[result.task.id, result.config])

    complete = len(pairs) == len(select((), None))
    absent = missing.from_results(pairs, decided)
    if complete:
        absent += missing.from_table(TASKS, missing.theorems())
    if canaries:
        report.print_canaries(console, decided)
    else:
        report.print_results(console, decided, absent)
        results.write_json(BUILD / "results.json", decided, absent, complete)
        results.write_junit(BUILD / "junit.xml", decided, absent)
    red = sum(result.status != "PASS" for result in decided)
    verdict = f"{len(decided) - red} of {len(decided)} properties hold"
    console.print(verdict + f", {len(absent)} missing" * bool(absent) + ", RED" * bool(red))
    return 1 if red or absent else 0


@main.command()
@click.argument("ids", nargs=-1)
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Configurations drawn for each property.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="What they are drawn from.")
@click.option("--named", is_flag=True, help="Nothing drawn: the named configurations, every one.")
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Seconds after which a proof is left undecided.",
)
def sweep(ids: tuple[str, ...], examples: int, seed: int, named: bool, timeout: int) -> int:
    """Prove the properties IDS (all when none is named) about random small configurations, or
    about the named ones, up to `llama2_70b`.

    Exit code 0 if none is refuted; 1 otherwise, with the smallest configuration that refutes it.
    """
    from formal import sweep as sweeping  # Hypothesis takes a while, and no other command needs it

    tasks = sweeping.drawn_from(list({task.id: task for task, _ in select(ids, None)}.values()))
    if not tasks:
        raise click.UsageError("none of these properties leaves its configuration open")
    console = _console()
    shapes = len(CONFIGS) if named else examples
    board = Board(console, len(tasks) * shapes)
    runner = Runner(build=BUILD / "sweep", proofs_only=True, watch=board.watch)
    warm_up(lambda text: click.echo(text, err=True))

    def tell(config: Config, result: Result) -> None:
        board.count(result.status != "PASS")
        console.print(
            f"{result.status:<5} {result.task.id:<32} {sweeping.describe(config)}",
            highlight=False,
            soft_wrap=True,
        )

    swept = []
    with board.shown():
        for task in tasks:
            limited = replace(task, timeout=timeout)
            if named:
                swept.append(sweeping.sweep_named(limited, runner, tell=tell))
                continue
            swept.append(sweeping.sweep(limited, runner, examples=examples, number=seed, tell=tell))
    report.print_sweep(console, swept, runner)
    sweeping.write_sweep(BUILD / "sweep.json", swept, seed)
    return 1 if any(each.red for each in swept) else 0


if __name__ == "__main__":
    main()
