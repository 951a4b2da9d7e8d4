"""``python -m sim``: text from a decoder, golden against RTL, waveforms, and replays."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from design.cli import Cli, cache_option, describe, lanes_option, with_geometry
from design.config import CONFIGS, Config, named
from design.errors import BadInput
from design.files import check_writable, write_atomically
from golden.calibrate import NUMERICS
from golden.case import Case
from golden.generate import generate as golden_generate
from golden.image import load_case
from golden.quantise import Model, quantise
from golden.sampler import Sampler
from golden.tokenizers import load_tokenizer
from sim import models
from sim.build import VARIANTS, Variant, build
from sim.replay import run_case
from sim.rtl_decoder import RtlDecoder, SimulationError
from sim.saturated import warning
from sim.units import Units
from sim.waves import Window, default_path

#: What `units` found.
UNITS = Path(__file__).resolve().parent.parent / "build" / "units.json"

_stderr = Console(stderr=True, highlight=False)

_FILE = click.Path(path_type=Path)
_config = click.option(
    "--config", "name", type=click.Choice(list(CONFIGS)), help="Insist on this named shape."
)
_numerics = click.option("--numerics", type=click.Choice(NUMERICS), default="default")


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    return Progress(*columns, TimeElapsedColumn(), console=_stderr, transient=True)


@click.group(cls=Cli)
def main() -> None:
    """Simulate the decoder, cycle by cycle, and compare it with the golden one."""


@main.command()
@click.argument("checkpoint", type=_FILE)
@click.option("--tokenizer", "tokenizer_path", type=_FILE, required=True)
@click.option("--prompt", default="", help="Text to continue.")
@click.option("--steps", type=int, help="Tokens at most; 256, or seq_len where that is less.")
@click.option("--temperature", type=float, default=0.0, show_default=True)
@click.option("--topp", type=float, default=0.9, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the sampler.")
@click.option("--backend", type=click.Choice(["float", "fixed", "rtl"]), default="rtl")
@click.option("--stalls", type=int, help="Seed for stalls on every stream (rtl).")
@click.option("--ids", "as_ids", is_flag=True, help="Print a JSON list of token ids instead.")
@click.option("--stats", type=_FILE, help="Write the figures to this JSON file.")
@_config
@lanes_option
@cache_option
@_numerics
def generate(
    checkpoint: Path,
    tokenizer_path: Path,
    prompt: str,
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
    numerics: str,
) -> None:
    """Print the text that CHECKPOINT tells: nothing else goes to stdout."""
    check_writable(stats, "--stats")
    read = models.open_checkpoint(checkpoint, None, 0)
    tokenizer = load_tokenizer(tokenizer_path, read.shape.vocab)
    steps = models.chosen_steps(steps, read.shape)
    ids = models.prompt_ids(prompt, tokenizer, read.shape)
    sampler = Sampler(read.shape.vocab, temperature, topp, seed)
    config, quantised, counters = None, None, models.Counters()
    if backend != "float":
        config = with_geometry(models.configure(read, name, numerics), lanes, cache)
        quantised = quantise(read, config)
    told = [ids[0]]
    text = tokenizer.stream()

    def show(part: bytes) -> None:
        if not as_ids:
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()

    def tell(tokens: Iterator[int]) -> float:
        """Print as the tokens come; returns the seconds spent."""
        begin = time.perf_counter()
        with _bar() as bar:
            task = bar.add_task(backend, total=steps, note="")
            show(text.put(ids[0]))
            for token in tokens:
                show(text.put(token))
                told.append(token)
                speed = (len(told) - 1) / (time.perf_counter() - begin)
                bar.update(task, advance=1, note=f"{speed:.1f} tokens/s")
            show(text.end())
        return time.perf_counter() - begin

    if quantised is None:
        seconds = tell(golden_generate(models.float_step(read), ids, steps, sampler, read.shape))
    elif backend == "fixed":
        step = models.fixed_step(quantised)
        seconds = tell(golden_generate(step, ids, steps, sampler, read.shape))
    else:
        with models.rtl_decoder(quantised, stalls, counters) as rtl:
            seconds = tell(_rtl_tokens(rtl, ids, steps, sampler))
            counters.cycles, counters.macs = rtl.cycles, rtl.macs
    if as_ids:
        click.echo(json.dumps(told))
    figures = _figures(config, len(told) - 1, seconds, counters if backend == "rtl" else None)
    if stats is not None:
        write_atomically(stats, json.dumps(figures, indent=2) + "\n")
    _print_figures(figures)
    if quantised is not None and (words := warning(read, quantised, told[:-1] or told)):
        _stderr.print(f"warning: {words}", soft_wrap=True)


def _rtl_tokens(rtl: RtlDecoder, ids: list[int], steps: int, sampler: Sampler) -> Iterator[int]:
    """Greedy text is looped in C++; with a temperature the host samples from `o_logits`."""
    if sampler.temperature == 0:
        return rtl.generate(ids, steps)
    scale = rtl.config.numerics.logits.scale
    positions = iter(range(steps))

    def step(token: int) -> np.ndarray:
        position = next(positions)
        logits = rtl.step(token, position == 0, position >= len(ids) - 1).logits
        return np.zeros(sampler.vocab) if logits is None else logits / scale

    return golden_generate(step, ids, steps, sampler, rtl.config.shape)


def _figures(
    config: Config | None, tokens: int, seconds: float, counters: models.Counters | None
) -> dict[str, float | int | None]:
    figures: dict[str, float | int | None] = {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_s": tokens / seconds if seconds else None,
    }
    keys = ("cycles", "cycles_per_token", "lanes", "multipliers", "macs")
    utilisations = ("array_utilisation", "dsp_utilisation", "build_seconds")
    if config is None or counters is None or not counters.cycles:
        return figures | dict.fromkeys((*keys, *utilisations))
    # The design is not needed, and not imported, unless it ran.
    from design.decoder import multipliers

    lanes, all_of_them = config.geometry.lanes, multipliers(config)
    cycles, macs = counters.cycles, counters.macs
    values = (cycles, cycles / tokens if tokens else None, lanes, all_of_them, macs)
    shares = (macs / (lanes * cycles), macs / (all_of_them * cycles), counters.build_seconds)
    return figures | dict(zip((*keys, *utilisations), (*values, *shares), strict=True))


def _print_figures(figures: dict[str, float | int | None]) -> None:
    text = f"\n{figures['tokens']} tokens"
    if figures["tokens_per_s"] is not None:
        text += f", {figures['tokens_per_s']:.1f} tokens/s"
    if figures["cycles"] is not None:
        text += (
            f", {figures['cycles_per_token'] or 0:.0f} cycles/token,"
            f" array utilisation {figures['array_utilisation']:.3f},"
            f" DSP utilisation {figures['dsp_utilisation']:.3f}"
        )
    _stderr.print(text, soft_wrap=True)


@main.command()
@click.argument("checkpoint", type=_FILE, required=False)
@click.option("--tokenizer", "tokenizer_path", type=_FILE, help="Needed for a prompt.")
@click.option("--prompt", default="", help="Forced tokens before the chosen ones.")
@click.option("--steps", type=int, help="Tokens to compare; 256, or seq_len if less.")
@click.option("--stalls", type=int, help="Seed for stalls on every stream.")
@click.option("--random", "sizes", help="Random weights: " + ",".join(models.SIZES) + ".")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random weights.")
@click.option("--vcd", type=_FILE, help="Write a waveform of --from to --to to this file.")
@click.option("--from", "first", type=int, default=0, show_default=True, metavar="TOKEN")
@click.option("--to", "last", type=int, help="Default: --from.", metavar="TOKEN")
@_config
@lanes_option
@cache_option
@_numerics
def compare(
    checkpoint: Path | None,
    tokenizer_path: Path | None,
    prompt: str,
    steps: int | None,
    stalls: int | None,
    sizes: str | None,
    seed: int,
    vcd: Path | None,
    first: int,
    last: int | None,
    name: str | None,
    lanes: str | None,
    cache: str | None,
    numerics: str,
) -> None:
    """Compare every traced value of every step, golden against RTL; 1 if they differ.

    A difference leaves a waveform of its token.
    """
    check_writable(vcd, "--vcd")
    read = models.open_checkpoint(checkpoint, sizes, seed)
    if sizes is None or tokenizer_path is not None:
        if tokenizer_path is None:
            raise BadInput("--tokenizer is missing")
        tokenizer = load_tokenizer(tokenizer_path, read.shape.vocab)
    else:
        tokenizer = None
    # Random weights may go on: behind a full context the next sequence begins.
    steps = models.chosen_steps(steps, read.shape, endless=sizes is not None)
    window = None
    if vcd is not None:
        window = Window(vcd, first, first if last is None else last)
        if window.last >= steps:
            raise BadInput(f"--to = {window.last} must be below --steps = {steps}")
    ids = models.prompt_ids(prompt, tokenizer, read.shape)
    config = with_geometry(models.configure(read, name, numerics), lanes, cache)
    case = Case(tuple(ids), steps, stalls)
    raise SystemExit(_compare(quantise(read, config), case, "traced", window=window))


@main.command()
@click.argument("reproducer", type=_FILE, metavar="FILE")
@click.option("--vcd", type=_FILE, help="Where the waveform goes, instead of build/waves.")
def replay(reproducer: Path, vcd: Path | None) -> None:
    """Compare the case in FILE, which a failed fuzzing left; 1 if golden and RTL still differ.

    A difference leaves a waveform of its token.
    """
    check_writable(vcd, "--vcd")
    model, case = load_case(reproducer)
    raise SystemExit(_compare(model, case, "quick", path=vcd))


def _compare(
    model: Model,
    case: Case,
    variant: Variant,
    *,
    window: Window | None = None,
    path: Path | None = None,
) -> int:
    """Compare and tell; a waveform of `window`, and of a difference outside it to `path`."""
    config = model.config
    begin = time.perf_counter()
    with _bar() as bar:
        task = bar.add_task(f"comparing {config.name}", total=case.steps, note="")

        def advance(values: int) -> None:
            bar.update(task, advance=1, note=f"{values} values")

        run = run_case(model, case, variant, watch=advance)
    seconds = time.perf_counter() - begin
    stalled = "" if case.stalls is None else f", stalls {case.stalls}"
    what = (
        f"{describe(config)}{stalled}: {run.values} values of"
        f" {len(run.feeds)} tokens compared in {seconds:.1f} s"
    )
    if run.saturated:
        _stderr.print(f"warning: {run.saturated}", soft_wrap=True)
    if window is not None and window.first <= run.last:
        run.record(window)
        click.echo(f"waveform of tokens {window.first} to {window.last}: {window.path}")
    if run.difference is None:
        click.echo(f"{what}, no difference")
        return 0
    click.echo(f"{what}, first difference at {run.difference}")
    if window is None or not window.first <= run.last <= window.last:
        path = path or default_path(config)
        run.record_last(path)
        click.echo(f"waveform of token {run.last}: {path}")
    return 1


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
    """Show every non-linear unit every input of its table; 1 if one differs from golden.

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
            task = bar.add_task(f"units of {name}", total=7, note="compiling")
            found = Units(named(name))
            bar.update(task, advance=1, note="")
            for row in found.rows():
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


@main.command("build")
@click.option("--config", "name", required=True, type=click.Choice(list(CONFIGS)))
@click.option("--variant", type=click.Choice(VARIANTS), default="fast", show_default=True)
@lanes_option
@cache_option
def warm(name: str, variant: str, lanes: str | None, cache: str | None) -> None:
    """Build one simulation into the cache and say how long it took."""
    config = with_geometry(named(name), lanes, cache)
    made = build(config, variant)  # type: ignore[arg-type]
    state = "was in the cache, took" if made.cached else "built in"
    click.echo(
        f"{describe(config)}, {variant}: {state} {made.seconds:.1f} s"
        f" (yosys {made.yosys_seconds:.1f} s, compiler {made.compile_seconds:.1f} s)"
    )
    if made.feedback:
        click.echo(f"feedback arcs, which cost a second evaluation: {', '.join(made.feedback)}")


if __name__ == "__main__":
    try:
        main(prog_name="python -m sim")
    except SimulationError as error:
        click.echo(f"the simulated design failed: {error}", err=True)
        sys.exit(1)
