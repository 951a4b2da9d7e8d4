"""``nox -s sweep``: proves properties for random configurations."""

import datetime
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table

from formal.__main__ import jobs_option
from formal.elaborate import processes
from formal.engines.programs.launch import warm_up
from formal.report import console as report
from formal.report.live import Board
from formal.runner import BUILD, Result, Runner
from formal.tasks import TASKS, select
from formal.tasks.task import Task
from gate.sweep import sweeping
from spec.config import CONFIGS, Config
from tools.cli import CliCommand
from tools.console import make_console
from tools.evidence import Watch


@click.command(cls=CliCommand)
@click.argument("ids", nargs=-1)
@jobs_option
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Configurations drawn for each property.",
)
@click.option("--seed", type=int, show_default="today's date", help="Seed of the configurations.")
@click.option("--named", is_flag=True, help="Use all named configurations instead of random ones.")
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Seconds after which a proof is left undecided.",
)
def main(
    ids: tuple[str, ...], jobs: int, examples: int, seed: int | None, named: bool, timeout: int
) -> int:
    """Prove the properties IDS (default: all) for random small configurations, and first for those
    that once refuted them; or for the named configurations, up to `llama2_70b`.

    Exit code 0 if none is refuted; 1 otherwise, with the smallest refuting configuration, which is
    kept in gate/sweep/kept.json.
    """
    watch = Watch()
    tasks = sweeping.drawn_from(list({task.id: task for task, _ in select(ids, None)}.values()))
    if not tasks:
        raise click.UsageError("all of these properties are for named configurations only")
    if seed is None:
        seed = int(datetime.date.today().strftime("%Y%m%d"))
    console = make_console()
    console.print(f"seed {seed}", highlight=False)
    shapes = len(CONFIGS) if named else examples
    board = Board(console, len(tasks) * shapes)
    runner = Runner(build=BUILD / "sweep", proofs_only=True, watch=board.watch)
    warm_up(lambda text: click.echo(text, err=True))

    def report_result(config: Config, result: Result) -> None:
        late = sweeping.Swept.late(result)
        board.count(result.status != "PASS" and not late)
        console.print(
            f"{'LATE' if late else result.status} {result.task.id:<32} {sweeping.describe(config)}",
            highlight=False,
            soft_wrap=True,
        )

    def sweep_one(task: Task) -> sweeping.Swept:
        limited = replace(task, timeout=timeout)
        if named:
            return sweeping.sweep_named(limited, runner, report=report_result)
        kept = sweeping.kept_for(task, sweeping.KEPT)
        return sweeping.sweep(
            limited, runner, examples=examples, number=seed, report=report_result, kept=kept
        )

    # The draws for a task depend only on the seed and its id, not on other tasks.
    with processes(jobs) as elaborate, board.shown(), ThreadPoolExecutor(jobs) as pool:
        runner = replace(runner, elaborate=elaborate)
        swept = list(pool.map(sweep_one, tasks))
    _print(console, swept, runner)
    complete = tasks == sweeping.drawn_from(TASKS) and not named
    digest = watch.digest()
    sweeping.write_sweep(BUILD / "sweep.json", swept, seed, complete, sources=digest)
    for refuted in [] if named else sweeping.keep(sweeping.KEPT, swept):
        line = f"kept in {sweeping.KEPT.name}, to be proved first from now on: {refuted.task.id}"
        console.print(line, highlight=False)
    return 1 if any(outcome.red for outcome in swept) else 0


def _print(console: Console, swept: Sequence[sweeping.Swept], runner: Runner) -> None:
    """A table of all properties, and the details of refuted ones."""
    table = Table(title="Random configurations", title_justify="left")
    for column in ("", "property", "claimed for"):
        table.add_column(column, overflow="fold")
    for column in ("proved", "out of time"):
        table.add_column(column, justify="right")
    for outcome in swept:
        table.add_row(
            "[bold red]RED[/]" if outcome.red else "[green]ok[/]",
            outcome.task.id,
            outcome.task.domain.words,
            str(len(outcome.proved)),
            str(len(outcome.undecided)),
        )
    console.print(table)
    for outcome in swept:
        if outcome.red and outcome.result:
            configs = {outcome.red.name: outcome.red}
            report.print_result(console, outcome.result, replace(runner, configs=configs))
            console.print(f"     the smallest: {outcome.smallest}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main(prog_name="python -m gate.sweep")
