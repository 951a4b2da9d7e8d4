"""``python -m sim``: generate text, compare golden with RTL, record waveforms, replay failures."""

import dataclasses
import functools
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from design.options import cache_option, lanes_option, rope_option, with_options
from golden.calibrate import NUMERICS
from golden.case import Case
from golden.image import load_case
from golden.quantise import Model, quantise
from golden.sampler import Sampler
from golden.tokenizers import Tokenizer
from sim import cycles, generation, models, stages
from sim.build import VARIANTS, Variant, build
from sim.compare import Progress
from sim.opinions import OPINIONS, Opinion, asked
from sim.replay import Run, run_case
from sim.rtl_decoder import SimulationError
from sim.saturated import warning
from sim.units import Units
from sim.waves import Window, default_path
from spec.config import CONFIGS, RopeBy, named
from tools.cli import Cli
from tools.console import make_console
from tools.errors import BadInput
from tools.files import check_writable, write_atomically
from tools.sources import ROOT

#: The results of `units`.
UNITS = ROOT / "build" / "units.json"
#: The cases that `keep` keeps, and how many bytes one may have.
REGRESSIONS, LARGEST_KEPT = ROOT / "tests" / "regressions", 100_000

_stderr = Console(stderr=True, highlight=False)

_FILE = click.Path(path_type=Path)
_tokenizer = click.option(
    "--tokenizer", "tokenizer_path", type=_FILE, help="Default: the one in or beside MODEL."
)
_config = click.option(
    "--config", "name", type=click.Choice(list(CONFIGS)), help="Require this named shape."
)
_numerics = click.option("--numerics", type=click.Choice(NUMERICS), default="default")


def _bar() -> Bars:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    return Bars(*columns, TimeElapsedColumn(), console=_stderr, transient=True)


@click.group(cls=Cli)
def main() -> None:
    """Simulate the decoder cycle by cycle, and compare it with golden."""


@main.command()
@click.argument("model", type=_FILE, required=False)
@_tokenizer
@click.option("--prompt", default="", help="Text to continue.")
@click.option("--chat", is_flag=True, help="--prompt is a user's message, in MODEL's template.")
@click.option("--steps", type=int, help=f"Tokens at most; {models.TEXT_STEPS}, or seq_len if less.")
@click.option("--temperature", type=float, default=0.0, show_default=True)
@click.option("--top-p", "topp", type=float, default=0.9, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the sampler.")
@click.option("--backend", type=click.Choice(["float", "fixed", "rtl"]), default="rtl")
@click.option("--stalls", type=int, help="Seed for stalls on every stream (rtl).")
@click.option("--ids", "as_ids", is_flag=True, help="Print a JSON list of token ids instead.")
@click.option("--stats", type=_FILE, help="Write the figures to this JSON file.")
@_config
@lanes_option
@cache_option
@rope_option
@_numerics
def generate(
    model: Path | None,
    tokenizer_path: Path | None,
    prompt: str,
    chat: bool,
    steps: int | None,
    temperature: float,
    topp: float,
    seed: int,
    backend: models.Backend,
    stalls: int | None,
    as_ids: bool,
    stats: Path | None,
    name: str | None,
    lanes: str | None,
    cache: str | None,
    rope: str | None,
    numerics: str,
) -> None:
    """Print the text of MODEL, token by token; nothing else goes to stdout.

    MODEL is a Hugging Face folder, a GGUF file or a checkpoint of llama2.c; by default the model
    of the repository. Its tokenizer is searched inside it and beside it.
    """
    check_writable(stats, "--stats")
    checkpoint, path = models.open_model(model, None, 0)
    shape = checkpoint.shape

    @functools.cache
    def tokenizer() -> Tokenizer:
        return models.open_tokenizer(tokenizer_path, path, shape)

    steps = models.chosen_steps(steps, shape, models.TEXT_STEPS)
    ids = models.prompt_ids(prompt, tokenizer, shape, chat=chat)
    sampler = Sampler(shape.vocab, temperature, topp, seed)
    printer = generation.Printer(None if as_ids else tokenizer().stream())
    config, quantised, counters = None, None, models.Counters()
    if backend != "float":
        config = with_options(models.configure(checkpoint, name, numerics), lanes, cache, rope)
        quantised = quantise(checkpoint, config)
    text = [ids[0]]

    def print_all(tokens: Iterator[int]) -> float:
        """Print the tokens as they are generated; returns the seconds spent."""
        begin = time.perf_counter()
        with _bar() as bar:
            task = bar.add_task(backend, total=steps, note="")
            # In a chat, only the answer is printed.
            printer.put(ids[0], silent=chat)
            for token in tokens:
                printer.put(token, silent=chat and len(text) < len(ids))
                text.append(token)
                speed = (len(text) - 1) / (time.perf_counter() - begin)
                bar.update(task, advance=1, note=f"{speed:.1f} tokens/s")
            printer.end()
        return time.perf_counter() - begin

    if quantised is None:
        seconds = print_all(generation.float_tokens(checkpoint, ids, steps, sampler))
    elif backend == "fixed":
        seconds = print_all(generation.fixed_tokens(quantised, ids, steps, sampler))
    else:
        with models.rtl_decoder(quantised, stalls, counters) as rtl:
            seconds = print_all(generation.rtl_tokens(rtl, ids, steps, sampler))
            counters.cycles, counters.macs = rtl.cycles, rtl.macs
    if as_ids:
        click.echo(json.dumps(text))
    figures = generation.figures(len(text) - 1, seconds, config, counters)
    if stats is not None:
        write_atomically(stats, json.dumps(figures, indent=2) + "\n")
    _stderr.print("\n" + generation.sentence(figures), soft_wrap=True)
    if quantised is not None and (message := warning(checkpoint, quantised, text[:-1] or text)):
        _stderr.print(f"warning: {message}", soft_wrap=True)


@main.command()
@click.argument("model", type=_FILE, required=False)
@_tokenizer
@click.option("--prompt", default="", help="Forced tokens before the chosen ones.")
@click.option("--chat", is_flag=True, help="--prompt is a user's message, in MODEL's template.")
@click.option(
    "--steps", type=int, help=f"Tokens to compare; {models.COMPARED_STEPS}, or seq_len if less."
)
@click.option("--stalls", type=int, help="Seed for stalls on every stream.")
@click.option(
    "--backend", type=click.Choice([opinion.value for opinion in Opinion]), default="tuned",
    show_default=True, help="Who is compared with golden; verilog is the exported text.",
)  # fmt: skip
@click.option("--random", "sizes", help="Random weights: " + ",".join(models.SIZES) + ".")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of random weights.")
@click.option(
    "--text", "as_text", is_flag=True, help="Print the text while comparing; end with it."
)
@click.option("--stats", type=_FILE, help="Write the figures to this JSON file.")
@click.option("--vcd", type=_FILE, help="Write a waveform of --from to --to to this file.")
@click.option("--from", "first", type=int, default=0, show_default=True, metavar="TOKEN")
@click.option("--to", "last", type=int, help="Default: --from.", metavar="TOKEN")
@_config
@lanes_option
@cache_option
@rope_option
@_numerics
def compare(
    model: Path | None,
    tokenizer_path: Path | None,
    prompt: str,
    chat: bool,
    steps: int | None,
    stalls: int | None,
    backend: str,
    sizes: str | None,
    seed: int,
    as_text: bool,
    stats: Path | None,
    vcd: Path | None,
    first: int,
    last: int | None,
    name: str | None,
    lanes: str | None,
    cache: str | None,
    rope: str | None,
    numerics: str,
) -> None:
    """Compare every traced value of every step, golden against RTL; exit code 1 if they differ.

    MODEL is as for `generate`, or --random. A difference leaves a waveform of its token.
    """
    check_writable(vcd, "--vcd")
    check_writable(stats, "--stats")
    checkpoint, path = models.open_model(model, sizes, seed)
    default = models.TEXT_STEPS if as_text else models.COMPARED_STEPS
    # With random weights, a new sequence begins after a full context.
    steps = models.chosen_steps(steps, checkpoint.shape, default, endless=sizes is not None)

    @functools.cache
    def tokenizer() -> Tokenizer:
        return models.open_tokenizer(tokenizer_path, path, checkpoint.shape)

    window = None
    if vcd is not None:
        window = Window(vcd, first, first if last is None else last)
        if window.last >= steps:
            raise BadInput(f"--to = {window.last} must be below --steps = {steps}")
    ids = models.prompt_ids(prompt, tokenizer, checkpoint.shape, chat=chat)
    config = with_options(models.configure(checkpoint, name, numerics), lanes, cache, rope)
    case = Case(tuple(ids), steps, stalls)
    printer = generation.Printer(tokenizer().stream()) if as_text else None
    opinion = Opinion(backend)
    if opinion is not Opinion.TUNED and window is not None:
        raise BadInput(f"--backend {backend} records no waveform: leave --vcd away")
    quantised = quantise(checkpoint, config)
    run = _compare(quantised, case, "traced", window=window, printer=printer, opinion=opinion)
    if stats is not None:
        write_atomically(stats, json.dumps(generation.compared_figures(run), indent=2) + "\n")
    raise SystemExit(run.difference is not None)


@main.command()
@click.argument("reproducer", type=_FILE, metavar="FILE")
@click.option("--vcd", type=_FILE, help="File of the waveform, instead of build/waves.")
@click.option("--opinions", is_flag=True, help="Ask everything that decodes: golden and RTL.")
def replay(reproducer: Path, vcd: Path | None, opinions: bool) -> None:
    """Compare the case in FILE, left by a failed fuzz test; exit code 1 if it still differs.

    A difference leaves a waveform of its token. With --opinions, golden as the page is compared
    with golden fast, and with the RTL in CXXRTL, in Verilator and in Amaranth's simulator.
    """
    check_writable(vcd, "--vcd")
    model, case = load_case(reproducer)
    if opinions:
        if vcd is not None:
            raise BadInput("--opinions records no waveform: leave --vcd away")
        raise SystemExit(_ask(model, case))
    raise SystemExit(_compare(model, case, "quick", path=vcd).difference is not None)


def _ask(model: Model, case: Case) -> bool:
    """Print what all opinions say; returns whether one differs."""
    with _bar() as bar:
        task = bar.add_task("", total=len(Opinion), note="")

        def watch(opinion: Opinion) -> None:
            bar.update(task, advance=1, description=f"asking {opinion.value}")

        said = list(asked.ask(model, case, watch=watch))
    stalled = "" if case.stalls is None else f", stalls {case.stalls}"
    make_console().print(asked.table(said, f"{model.config.describe()}{stalled}"))
    return any(one.difference for one in said)


@main.command()
@click.argument("reproducer", type=_FILE, metavar="FILE")
@click.option("--name", help="Name to keep it under, instead of that of FILE.")
def keep(reproducer: Path, name: str | None) -> None:
    """Keep the case in FILE, left by a failed fuzz test, in tests/regressions/.

    From then on tests/fuzz/test_regressions.py compares it in every run.
    """
    load_case(reproducer)
    name = name or reproducer.stem
    if not re.fullmatch(r"[\w-]+", name):
        raise BadInput(f"--name {name!r} must be letters, digits, '_' and '-'")
    content, kept = reproducer.read_bytes(), REGRESSIONS / f"{name}.safetensors"
    if len(content) > LARGEST_KEPT:
        raise BadInput(
            f"{reproducer}: {len(content):,} bytes must be at most {LARGEST_KEPT:,} to be kept"
        )
    if kept.exists() and kept.read_bytes() != content:
        raise BadInput(f"{kept} is another case: give it another --name")
    write_atomically(kept, content)
    click.echo(f"kept: {kept}")


def _compare(
    model: Model,
    case: Case,
    variant: Variant,
    *,
    window: Window | None = None,
    path: Path | None = None,
    printer: generation.Printer | None = None,
    opinion: Opinion = Opinion.TUNED,
) -> Run:
    """Compare and report; records `window`, and a difference outside it to `path`.

    With a `printer` each token is printed if all its values are equal, up to the end of the text.
    Other opinions than that of the tuned RTL, a simulation of this `variant`, have no waveform.
    """
    config, tuned = model.config, opinion is Opinion.TUNED
    decoder = None if tuned else OPINIONS[opinion](model, case)
    begin = time.perf_counter()
    with _bar() as bar:
        task = bar.add_task(f"comparing {config.name}", total=case.steps, note="")

        def watch(progress: Progress) -> None:
            bar.update(task, advance=1, note=f"{progress.values} values")
            if printer is not None and progress.difference is None:
                printer.put(progress.feed.token)

        once = printer is not None
        run = run_case(model, case, variant, once=once, watch=watch, decoder=decoder)
    seconds = time.perf_counter() - begin
    if printer is not None:
        printer.end()
        click.echo("\n")
    who = "RTL" if tuned else opinion.value
    stalled = "" if case.stalls is None else f", stalls {case.stalls}"
    what = (
        f"{config.describe()}{stalled}: {run.values:,} values of"
        f" {len(run.feeds)} tokens compared in {seconds:.1f} s"
    )
    if saturated := run.saturation.sentence():
        _stderr.print(f"warning: {saturated}", soft_wrap=True)
    if window is not None and window.first <= run.last:
        run.record(window)
        click.echo(f"waveform of tokens {window.first} to {window.last}: {window.path}")
    if run.difference is None:
        click.echo(
            f"{what}, no difference; {who} {generation.sentence(generation.compared_figures(run))}"
        )
        return run
    click.echo(f"{what}, first difference at {run.difference}")
    if tuned and (window is None or not window.first <= run.last <= window.last):
        path = path or default_path(config)
        for sentence in run.record_last(path):
            click.echo(sentence)
    return run


@main.command("units")
@click.option(
    "--config",
    "names",
    multiple=True,
    type=click.Choice(list(CONFIGS)),
    default=("nano", "stories260k"),
    show_default=True,
)
def enumerate_units(names: tuple[str, ...]) -> int:
    """Run every non-linear unit on all inputs of its table; exit code 1 if one differs from golden.

    Prints the worst error against the real function, and writes build/units.json.
    """
    table = Table(title="Non-linear units, compiled RTL", title_justify="left")
    for column in ("", "config", "unit", "inputs", "monotone"):
        table.add_column(column, overflow="fold")
    for column in ("values", "different", "worst, ULP", "worst, absolute"):
        table.add_column(column, justify="right")
    UNITS.parent.mkdir(parents=True, exist_ok=True)
    check_writable(UNITS, "result")
    records = []
    with _bar() as bar:
        for name in names:
            task = bar.add_task(f"units of {name}", total=6 + len(RopeBy), note="compiling")
            units = Units(named(name))
            bar.update(task, advance=1, note="")
            for row in units.rows():
                bar.update(task, advance=1, note=row.unit)
                records.append({"config": name, "good": row.good, **dataclasses.asdict(row)})
                monotone = {None: "-", True: "yes", False: "[bold red]NO[/]"}[row.monotone]
                table.add_row(
                    "[green]ok[/]" if row.good else "[bold red]RED[/]",
                    name, row.unit, row.inputs, monotone, f"{row.values:,}",
                    f"{row.different:,}", f"{row.ulp:.2f}", f"{row.absolute:.2e}",
                )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    write_atomically(UNITS, json.dumps({"units": records}, indent=2) + "\n")
    return 0 if all(record["good"] for record in records) else 1


@main.command("cycles")
@click.option("--accept", "accepts", is_flag=True, help="Write what is measured into the file.")
@click.option(
    "--stages", "by_stage", is_flag=True, help="Those of each stage, for `nox -s report`."
)
def count_cycles(accepts: bool, by_stage: bool) -> int:
    """Compare the cycles of every token of nano and tales260k, at 8 and 64
    lanes, with those in sim/cycles.json; exit code 1 if they differ.
    """
    if by_stage:
        of_stage = stages.measured(stages.CASE, stages.POSITIONS)
        stages.write(of_stage)
        for name, counts in of_stage.items():
            click.echo(f"{name:<16} {sum(counts) / len(counts):10,.1f} cycles a token")
        return 0
    if accepts:
        check_writable(cycles.FILE, "file of cycles")
    found = {cycles.case_name(config): cycles.measured(config) for config in cycles.CASES}
    accepted = cycles.accepted()
    differ = [cycles.changes(name, accepted.get(name), now) for name, now in found.items()]
    for sentence in filter(None, differ):
        click.echo(sentence)
    if accepts:
        cycles.accept(found)
        return 0
    if any(differ):
        click.echo("accept with: python -m sim cycles --accept")
    return int(any(differ))


@main.command("build")
@click.option("--config", "name", required=True, type=click.Choice(list(CONFIGS)))
@click.option("--variant", type=click.Choice(VARIANTS), default="fast", show_default=True)
@lanes_option
@cache_option
@rope_option
def warm(name: str, variant: str, lanes: str | None, cache: str | None, rope: str | None) -> None:
    """Build one simulation into the cache and print the time that it took."""
    config = with_options(named(name), lanes, cache, rope)
    made = build(config, variant)  # type: ignore[arg-type]
    state = "was in the cache, took" if made.cached else "built in"
    click.echo(
        f"{config.describe()}, {variant}: {state} {made.seconds:.1f} s"
        f" (yosys {made.yosys_seconds:.1f} s, compiler {made.compile_seconds:.1f} s)"
    )
    if made.feedback:
        click.echo(f"feedback arcs, which require a second evaluation: {', '.join(made.feedback)}")


if __name__ == "__main__":
    try:
        main(prog_name="python -m sim")
    except SimulationError as error:
        click.echo(f"the simulated design failed: {error}", err=True)
        sys.exit(1)
