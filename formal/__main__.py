"""``python -m formal``: list, explain and prove the properties, for any configuration."""

import os

import click

from formal import missing
from formal.engines.programs.launch import warm_up
from formal.ledger import LINES
from formal.ledger import page as ledger_page
from formal.ledger.audit import audit, proofs
from formal.ledger.audit import pairs as all_pairs
from formal.report import console as report
from formal.report import pages, results
from formal.report.canonical import digest
from formal.report.explain import explain as explain_task
from formal.report.live import Board
from formal.runner import BUILD, Runner
from formal.spread import prove_all
from formal.tasks import TASKS, select
from formal.tasks.task import Tier
from tools.cli import Cli
from tools.console import make_console
from tools.evidence import Watch
from tools.farm import named
from tools.files import write_atomically
from tools.watching import run_on_save

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=os.cpu_count() or 1,
    show_default="number of cores",
    help="Properties proved in parallel.",
)


@click.group(cls=Cli)
def main() -> None:
    """Proofs about the decoder, unbounded unless stated, each with a cover and a planted bug."""


@main.command("list")
@click.option("--assumptions", is_flag=True, help="List their suppositions and payers.")
def list_tasks(assumptions: bool) -> None:
    """Print the table of properties."""
    if assumptions:
        click.echo(ledger_page.page(LINES), nl=False)
    else:
        report.print_tasks(make_console(), TASKS)


@main.command()
@click.option("--write", is_flag=True, help="Update docs/proofs.md.")
def table(write: bool) -> None:
    """Print docs/proofs.md: all properties, and the configurations for which they are proved."""
    page = pages.page(TASKS)
    if write:
        write_atomically(pages.PAGE, page)
    else:
        click.echo(page, nl=False)


@main.command()
@click.argument("ids", nargs=-1, required=True)
def explain(ids: tuple[str, ...]) -> None:
    """Print all details of the properties IDS: assumptions, claims, engines, bound, bug."""
    console = make_console()
    tasks = {task.id: task for task, _ in select(ids, None)}
    for number, task in enumerate(tasks.values()):
        console.print("\n" * bool(number), end="")
        explain_task(console, task, Runner())


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--config", help="Prove for this configuration only, any of the table.")
def watch(ids: tuple[str, ...], config: str | None) -> int:
    """Prove the properties IDS (default: all of the core) now, and again after each save.

    Only what a save changes is proved again. Ends with Ctrl-C.
    """
    select(ids, config)  # raises for what is not in the table
    narrowed = ["--config", config] if config else []
    return run_on_save(["-m", "formal", "prove", *ids, *narrowed])


@main.command()
@click.argument("ids", nargs=-1)
@click.option("--config", help="Prove for this configuration only, any of the table.")
@click.option("--all", "everything", is_flag=True, help="Prove for every width of the table.")
@jobs_option
@click.option(
    "--farm",
    metavar="NAME",
    help="Prove on local, slurm or dask=ADDRESS, as many --jobs at a time.",
)
@click.option("--engine", help="Use this engine instead of each property's own.")
@click.option("--no-cache", is_flag=True, help="Do not reuse results of earlier runs.")
@click.option("--bugs", is_flag=True, help="Only plant the bugs, and report what catches them.")
@click.option("--waves", is_flag=True, help="With --bugs: show the traces of planted bugs.")
def prove(
    ids: tuple[str, ...],
    config: str | None,
    everything: bool,
    jobs: int,
    farm: str | None,
    engine: str | None,
    no_cache: bool,
    bugs: bool,
    waves: bool,
) -> int:
    """Prove the properties IDS (or those whose ids begin with them); default: all.

    Exit code 0 only if each is proved, confirmed by a second engine (or has a reason why not), its
    cover is reached, its planted bug is caught, and none is missing; 1 otherwise. Without --all
    only the core of the table is proved; the last line reports how many are left.
    """
    if waves and not bugs:
        raise click.UsageError("--waves shows planted bugs: use it with --bugs")
    watch = Watch()
    workers = named(farm, jobs) if farm else None
    tier: Tier = "all" if everything else "core"
    pairs = select(ids, config, tier)
    console = make_console()
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
        # Raises for an engine that is not installed, before any work.
        for engine_of_run in runner.engines_for(task).values():
            engine_of_run.versions()
    warm_up(lambda text: click.echo(text, err=True))

    order = {(task.id, name): index for index, (task, name) in enumerate(pairs)}
    decided = []
    with board.shown():
        proved = prove_all(workers, runner, pairs) if workers else runner.run_all(pairs, jobs)
        for result in proved:
            board.count(result.status != "PASS")
            # On a terminal, green results are only in the table at the end.
            if result.status != "PASS" or waves or not console.is_terminal:
                report.print_result(console, result, runner)
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
        audited = audit(LINES, proofs(decided), all_pairs(TASKS))
        absent += audited.holes
        report.print_results(console, decided, absent)
        console.print(audited.summary(), highlight=False)
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
    console.print(f"verdict {digest(decided, absent)}", highlight=False)
    if not_asked:
        rest = f"not run: {not_asked} of {len(pairs) + not_asked} in the table"
        console.print(f"{rest} (--all runs them)", highlight=False)
    return 1 if red or absent else 0


if __name__ == "__main__":
    main()
