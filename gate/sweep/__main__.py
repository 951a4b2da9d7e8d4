"""``nox -s sweep``: prove properties about configurations that nobody named."""

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
@click.option("--seed", type=int, show_default="today's date", help="What they are drawn from.")
@click.option("--named", is_flag=True, help="Nothing drawn: the named configurations, every one.")
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
    """Prove the properties IDS (all when none is named) about those configurations that once
    refuted them, and about random small ones; or about the named ones, up to `llama2_70b`.

    Exit code 0 if none is refuted; 1 otherwise, with the smallest configuration that refutes it,
    which is kept in gate/sweep/kept.json.
    """
    watch = Watch()
    tasks = sweeping.drawn_from(list({task.id: task for task, _ in select(ids, None)}.values()))
    if not tasks:
        raise click.UsageError("none of these properties leaves its configuration open")
    if seed is None:
        seed = int(datetime.date.today().strftime("%Y%m%d"))
    console = report.make_console()
    console.print(f"seed {seed}", highlight=False)
    shapes = len(CONFIGS) if named else examples
    board = Board(console, len(tasks) * shapes)
    runner = Runner(build=BUILD / "sweep", proofs_only=True, watch=board.watch)
    warm_up(lambda text: click.echo(text, err=True))

    def tell(config: Config, result: Result) -> None:
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
            return sweeping.sweep_named(limited, runner, tell=tell)
        kept = sweeping.kept_for(task, sweeping.KEPT)
        return sweeping.sweep(limited, runner, examples=examples, number=seed, tell=tell, kept=kept)

    # What is drawn for a task depends on the seed and its name, on no other task.
    with processes(jobs) as elaborate, board.shown(), ThreadPoolExecutor(jobs) as pool:
        runner = replace(runner, elaborate=elaborate)
        swept = list(pool.map(sweep_one, tasks))
    _print(console, swept, runner)
    complete = tasks == sweeping.drawn_from(TASKS) and not named
    digest = watch.digest()
    sweeping.write_sweep(BUILD / "sweep.json", swept, seed, complete, sources=digest)
    for each in [] if named else sweeping.keep(sweeping.KEPT, swept):
        line = f"kept in {sweeping.KEPT.name}, to be proved first from now on: {each.task.id}"
        console.print(line, highlight=False)
    return 1 if any(each.red for each in swept) else 0


def _print(console: Console, swept: Sequence[sweeping.Swept], runner: Runner) -> None:
    """What each theorem was proved for, and in full what refutes one."""
    table = Table(title="Random configurations", title_justify="left")
    for column in ("", "property", "claimed for"):
        table.add_column(column, overflow="fold")
    for column in ("proved", "out of time"):
        table.add_column(column, justify="right")
    for each in swept:
        table.add_row(
            "[bold red]RED[/]" if each.red else "[green]ok[/]",
            each.task.id,
            each.task.domain.words,
            str(len(each.proved)),
            str(len(each.undecided)),
        )
    console.print(table)
    for each in swept:
        if each.red and each.result:
            name = each.red.name
            report.tell(console, each.result, replace(runner, configs={name: each.red}))
            console.print(f"     the smallest: {each.smallest}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main(prog_name="python -m gate.sweep")
