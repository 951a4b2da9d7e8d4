"""``python -m formal``: list the properties, explain them, prove them, at any shape."""

import datetime
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import click
from rich.console import Console

from formal import missing
from formal.elaborate import processes
from formal.engines.programs.launch import warm_up
from formal.ledger import LINES
from formal.ledger import page as ledger_page
from formal.ledger.audit import audit, proofs
from formal.ledger.audit import pairs as all_pairs
from formal.report import console as report
from formal.report import pages, results
from formal.report.explain import explain as explain_task
from formal.report.live import Board
from formal.runner import BUILD, Result, Runner
from formal.tasks import TASKS, select
from formal.tasks.task import Task, Tier
from spec.config import CONFIGS, Config
from tools.cli import Cli
from tools.evidence import Watch
from tools.files import write_atomically

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
@click.option("--assumptions", is_flag=True, help="Show what they suppose, and who pays for it.")
def list_tasks(assumptions: bool) -> None:
    """Show the table of properties."""
    if assumptions:
        click.echo(ledger_page.page(LINES), nl=False)
    else:
        report.print_tasks(_console(), TASKS)


@main.command()
@click.option("--write", is_flag=True, help="Renew docs/proofs.md.")
def table(write: bool) -> None:
    """Print docs/proofs.md: all properties, and for which configurations there is a proof."""
    page = pages.page(TASKS)
    if write:
        write_atomically(pages.PAGE, page)
    else:
        click.echo(page, nl=False)


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
@click.option("--config", help="Prove for this configuration only, any of the table.")
@click.option("--all", "everything", is_flag=True, help="Prove for every width of the table.")
@jobs_option
@click.option("--engine", help="Use this engine in place of each property's own.")
@click.option("--no-cache", is_flag=True, help="Ask the engines even what was answered before.")
@click.option("--bugs", is_flag=True, help="Only plant the bugs, and show what catches them.")
@click.option("--waves", is_flag=True, help="With --bugs: show what a planted bug does.")
def prove(
    ids: tuple[str, ...],
    config: str | None,
    everything: bool,
    jobs: int,
    engine: str | None,
    no_cache: bool,
    bugs: bool,
    waves: bool,
) -> int:
    """Prove the properties IDS (or the beginning of their ids); all when none is named.

    Exit code 0 only if each is proved, confirmed by a second engine or told why not, its cover
    reached and its planted bug caught, and none is missing; 1 otherwise. What is proved without
    --all is the core of the table; the last line says how much that leaves.
    """
    if waves and not bugs:
        raise click.UsageError("--waves shows planted bugs: it goes with --bugs")
    watch = Watch()
    tier: Tier = "all" if everything else "core"
    pairs = select(ids, config, tier)
    console = _console()
    board = Board(console, len(pairs))
    runner = Runner(
        build=BUILD,
        engine=engine,
        cache=not no_cache,
        bugs_only=bugs,
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

    complete = pairs == select((), None, tier)
    not_asked = len(select((), None, "all")) - len(pairs)
    absent = missing.from_results(pairs, decided)
    if complete:
        absent += missing.from_table(TASKS, missing.theorems())
    if bugs:
        report.print_bugs(console, decided)
    else:
        found = audit(LINES, proofs(decided), all_pairs(TASKS))
        absent += found.holes
        report.print_results(console, decided, absent)
        console.print(found.summary(), highlight=False)
        results.write_json(
            BUILD / "results.json",
            decided,
            absent,
            complete,
            sources=watch.digest(),
            tier=tier,
            not_asked=not_asked,
        )
        results.write_junit(BUILD / "junit.xml", decided, absent)
    red = sum(result.status != "PASS" for result in decided)
    console.print(report.verdict(decided, absent), highlight=False)
    if not_asked:
        rest = f"not asked: {not_asked} of the {len(pairs) + not_asked} of the whole table"
        console.print(f"{rest} (--all asks)", highlight=False)
    return 1 if red or absent else 0


@main.command()
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
def sweep(
    ids: tuple[str, ...], jobs: int, examples: int, seed: int | None, named: bool, timeout: int
) -> int:
    """Prove the properties IDS (all when none is named) about those configurations that once
    refuted them, and about random small ones; or about the named ones, up to `llama2_70b`.

    Exit code 0 if none is refuted; 1 otherwise, with the smallest configuration that refutes it,
    which is kept in formal/sweep_kept.json.
    """
    from formal import sweep as sweeping  # Hypothesis takes a while, and no other command needs it

    watch = Watch()
    tasks = sweeping.drawn_from(list({task.id: task for task, _ in select(ids, None)}.values()))
    if not tasks:
        raise click.UsageError("none of these properties leaves its configuration open")
    if seed is None:
        seed = int(datetime.date.today().strftime("%Y%m%d"))
    console = _console()
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
    report.print_sweep(console, swept, runner)
    complete = tasks == sweeping.drawn_from(TASKS) and not named
    digest = watch.digest()
    sweeping.write_sweep(BUILD / "sweep.json", swept, seed, complete, sources=digest)
    for each in [] if named else sweeping.keep(sweeping.KEPT, swept):
        line = f"kept in {sweeping.KEPT.name}, to be proved first from now on: {each.task.id}"
        console.print(line, highlight=False)
    return 1 if any(each.red for each in swept) else 0


if __name__ == "__main__":
    main()
