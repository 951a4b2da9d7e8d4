"""``python -m mutate``: how much of the decoder the verification would miss."""

import contextlib
import difflib
import fcntl
import random
from collections.abc import Iterator

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mutate import baseline, controls, pool, red, report
from mutate import planted as planting
from mutate.campaign import Campaign, cases_of
from mutate.cases import Case
from tools.changes import changed_since
from tools.cli import Cli
from tools.console import make_console
from tools.errors import BadInput
from tools.evidence import BUILD, Watch
from tools.provenance import provenance
from tools.sources import ROOT, SOURCES

FOLDER = BUILD / "mutate"
REPORT = FOLDER / "report.json"
#: How many mutants are judged, and how many of those of a change: these are to take minutes.
SAMPLE, SAMPLE_OF_CHANGE = 200, 20


@click.group(cls=Cli)
def main() -> None:
    """Small mistakes in spec/, design/ and golden/, and who sees them."""


@main.command("list")
@click.argument("paths", nargs=-1)
def list_mutants(paths: tuple[str, ...]) -> None:
    """Print the names of all mutants, or of those in the files PATHS."""
    for mutant in _of_files(paths):
        click.echo(mutant.name)


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """Print what the mutant NAME changes, as a unified diff."""
    mutant = pool.named(name)
    before = SOURCES.content(ROOT / mutant.path).decode().splitlines(keepends=True)
    after = pool.change(mutant).content.decode().splitlines(keepends=True)
    labels = (f"a/{mutant.path}", f"b/{mutant.path}")
    click.echo("".join(difflib.unified_diff(before, after, *labels)), nl=False)


@main.command()
@click.argument("names", nargs=-1)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    help=f"How many mutants  [default: {SAMPLE}; with --changed {SAMPLE_OF_CHANGE}]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample.")
@click.option("--changed", metavar="REV", help="Only functions that differ from this revision.")
@click.option("--file", "paths", multiple=True, help="Only this file; may be repeated.")
@click.option("--every", is_flag=True, help="Ask every detector, also after a kill.")
@click.option("--no-proofs", is_flag=True, help="Leave out the proofs.")
def run(
    names: tuple[str, ...],
    sample: int | None,
    seed: int,
    changed: str | None,
    paths: tuple[str, ...],
    every: bool,
    no_proofs: bool,
) -> int:
    """Judge the mutants NAMES, or a sample of the pool.

    Exit code 0 only if mutants were judged, none survived, and all controls are as they must be.
    """
    watch = Watch()
    sample = sample or (SAMPLE_OF_CHANGE if changed else SAMPLE)
    mutants = _chosen(names, sample, seed, changed, paths)
    console = make_console()
    with _alone(), _progress(console) as progress:
        campaign = Campaign(FOLDER, progress, every, proofs=not no_proofs)
        try:
            wrong = campaign.check(controls.chosen(quick=bool(names or changed)))
            cases = []
            for case in campaign.run(mutants):
                cases.append(case)
                if case.status == "SURVIVOR":
                    console.print(report.card(case), highlight=False, markup=False)
        except baseline.Broken as error:
            console.print(f"RED: {error}", highlight=False, markup=False)
            return 1
    facts = {
        **provenance(), "sources": watch.digest(), "sample": sample, "seed": seed,
        "changed": changed, "files": list(paths), "every": every, "proofs": not no_proofs,
        "controls wrong": wrong,
    }  # fmt: skip
    report.write(REPORT, cases, facts)
    report.print_all(console, cases, every=every)
    return _verdict(console, cases, wrong, changed)


@main.command("time-to-red")
@click.option("--sample", type=click.IntRange(min=0), default=100, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample.")
@click.option(
    "--planted", type=click.IntRange(min=0), show_default="all",
    help="How many planted bugs, drawn with the seed.",
)  # fmt: skip
def time_to_red(sample: int, seed: int, planted: int | None) -> int:
    """Measure how long `nox -s check` takes to object to a planted bug, or a mutant, as an edit.

    In a copy of the repository that shares the caches of this one, which the core proofs ought to
    have filled (`nox -s formal`). Exit code 1 if nothing was measured.
    """
    bugs = planting.cases()
    random.Random(seed).shuffle(bugs)
    mutants = cases_of(pool.sample(pool.pool(), sample, seed) if sample else [])
    edits = red.edits([*bugs[:planted], *mutants])
    console = make_console()
    with _alone(), _progress(console) as progress:
        seen = list(red.measure(edits, progress))
    if not seen:
        console.print("RED: no edit was measured", highlight=False)
        return 1
    red.print_all(console, seen)
    return 0


@main.command()
@click.option("--no-fuzz", is_flag=True, help="Compare on small decoders only.")
def planted(no_fuzz: bool) -> int:
    """Ask the fuzzing about each planted bug; its proof is asked by the tests.

    First the comparison on five small decoders, then the examples of the fuzzing. Exit code 0 if
    it sees all but those that it cannot see (mutate/planted.py).
    """
    console = make_console()
    with _alone(), _progress(console) as progress:
        campaign = Campaign(FOLDER, progress, proofs=False, tests=False, fuzz=not no_fuzz)
        try:
            judged = list(campaign.judge(planting.cases()))
        except baseline.Broken as error:
            console.print(f"RED: {error}", highlight=False, markup=False)
            return 1
    console.print(planting.table(judged))
    wrong = list(planting.wrong(judged))
    for sentence in wrong:
        console.print(sentence, highlight=False, markup=False)
    console.print(f"{len(judged)} planted bugs, {len(wrong)} wrong", highlight=False)
    return 1 if wrong or not judged else 0


def _verdict(console: Console, cases: list[Case], wrong: list[str], changed: str | None) -> int:
    """Print the last line; the exit code."""
    for sentence in wrong:
        console.print(sentence, highlight=False, markup=False)
    survivors = sum(case.status == "SURVIVOR" for case in cases)
    if not cases and changed:
        text = f"no mutant in the functions that differ from {changed}"
    elif not cases:
        text = "RED: no mutant was judged"
    else:
        text = f"{len(cases)} mutants, {survivors} survivors"
    if wrong:
        text = f"RED: {len(wrong)} controls are wrong; {text}"
    console.print(text, highlight=False, markup=False)
    return 1 if wrong or survivors or (not cases and not changed) else 0


def _of_files(paths: tuple[str, ...]) -> list[pool.Mutant]:
    mutants = pool.pool()
    for path in paths:
        if all(mutant.path != path for mutant in mutants):
            raise BadInput(f"{path!r} is no file with mutants")
    return [mutant for mutant in mutants if not paths or mutant.path in paths]


def _chosen(
    names: tuple[str, ...], size: int, seed: int, changed: str | None, paths: tuple[str, ...]
) -> list[pool.Mutant]:
    if names:
        if changed or paths:
            raise BadInput("mutants are chosen by name, or by --changed and --file, not by both")
        return [pool.named(name) for name in dict.fromkeys(names)]
    mutants = _of_files(paths)
    if changed:
        mutants = pool.in_changed(mutants, changed_since(changed, "--changed"))
    return pool.sample(mutants, size, seed)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Refuse to run twice at once: the folder is one."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput("another `python -m mutate run` is running here") from None
        yield


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[baseline.Progress]:
    """A line that says what is done; on no terminal, a line for each step."""
    if not console.is_terminal:
        yield lambda text: click.echo(text, err=True)
        return
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("")
        yield lambda text: shown.update(task, description=text)


if __name__ == "__main__":
    main()
